"""Where are P and S in one record?

Picks ObsPy's own three-component example record with the official PhaseNet weights, prints the
picks and writes them and a figure to a folder:

    python examples/pick_example_record.py --output demo
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import phasenet_keras as pk
from phasenet_keras.picking.files import StationResult
from phasenet_keras.plot import save_station_figure
from phasenet_keras.quiet import quiet_start
from phasenet_keras.types import PhaseNetKerasError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the results")
    parser.add_argument("--preset", default="ncedc", help="name or folder (default: %(default)s)")
    arguments = parser.parse_args()

    try:
        with quiet_start():
            net = pk.PhaseNet.from_preset(arguments.preset)
            picker = pk.Picker(net)
    except PhaseNetKerasError as error:
        print(error, file=sys.stderr)
        return 2
    [record] = pk.read_waveforms()  # without a path: ObsPy's example
    result = picker.pick_record(record)

    arguments.output.mkdir(parents=True, exist_ok=True)
    pk.write_picks(result.picks, arguments.output / "picks.csv")
    figure = save_station_figure(StationResult(record.station, [result]), arguments.output)

    print(f"{record.station}, {record.duration_s:g} s from {record.start_time}")
    for pick in result.picks:
        print(f"  {pick.phase}  {pick.time}  probability {pick.probability:.2f}")
    print(f"picks: {arguments.output / 'picks.csv'}\nfigure: {figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
