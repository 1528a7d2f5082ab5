"""The verb of the command line that corrects picks by the moveout of their gathers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet_keras.cli.common import (
    EXIT_SOME_FAILED,
    exit_status,
    make_folder,
    refuse_overwriting,
    settled_inputs,
)
from phasenet_keras.cli.console import open_console, say, say_some
from phasenet_keras.cli.gather_options import add_gather_options, pair_of, read_correction
from phasenet_keras.cli.options import file_path, names
from phasenet_keras.io.wording import counted
from phasenet_keras.types import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console

    from phasenet_keras.io.gathers import GatherPicks
    from phasenet_keras.io.geometry import Geometry
    from phasenet_keras.io.survey_waveforms import GatherRecord
    from phasenet_keras.types import LabelledWaveform

__all__ = ["add_correct"]

DESCRIPTION = """\
Correct the picks of shot gathers by their moveout: outliers by Huber regression, a curve through
the rest by support vector regression. PICKS is one of

  the CSV of phasenet-keras pick (station_id, phase_time, …)
  a CSV with columns shot (or ffid), receiver (or channel, trace), phase, and
      sample or time_s, time_ms, time_us; or a column a phase (p_sample, p_ms);
      all times become time_s
  a CSV with columns fname, itp_pred, its_pred and their probabilities (lists
      of candidates), whose rows are in the order shot, receiver: say --shots
      and --receivers, or --names

The geometry is a CSV with receiver, x, y, z in metres; sources are rows with shot, x, y, z and no
receiver, or columns source_x, source_y, source_z; start_time of a shot's row is the UTC time of its
sample 0. Without geometry, receiver number minus shot number is the offset."""
MAX_LINES = 20
# Of what is written: far less than a sample, and a tenth of one at 100 MHz.
DECIMALS, DECIMALS_OF_S = 4, 9


def add_correct(verbs: argparse._SubParsersAction) -> None:
    """Add `correct` to the parser."""
    verb = verbs.add_parser(
        "correct",
        help="correct the picks of shot gathers by their moveout",
        description=DESCRIPTION,
        epilog=exit_status("some rows could not be used"),
    )
    verb.add_argument("picks", type=Path, metavar="PICKS", help="table of picks")
    add_gather_options(verb)
    verb.add_argument("--shots", type=int, default=0, metavar="N", help="shots, row by row")
    verb.add_argument("--receivers", type=int, default=0, metavar="N", help="receivers of a shot")
    verb.add_argument(
        "--sampling-rate-hz", type=float, metavar="HZ", help="where the table does not say it"
    )
    verb.add_argument(
        "--fill", action="store_true", help="add receivers without a pick, marked as filled"
    )
    verb.add_argument("--vp-vs", type=pair_of, default=(1.4, 6.0), metavar="LOW,HIGH",
                      help="bounds of Vp/Vs (default: 1.4,6)")  # fmt: skip
    verb.add_argument(
        "--output", type=file_path, metavar="FILE.csv", help="the table (default: standard output)"
    )
    verb.add_argument(
        "--rules",
        type=file_path,
        metavar="FILE.csv",
        help="which corrected times break which rule, and by how much (in the table's unit)",
    )
    verb.add_argument("--markers", type=file_path, metavar="FILE", help="the picks for Snuffler")
    verb.add_argument("--quakeml", type=file_path, metavar="FILE.xml", help="the same as QuakeML")
    verb.add_argument("--plot", type=Path, metavar="DIR", help="write a figure a gather here")
    verb.add_argument(
        "--plot-shots",
        type=names,
        default=(),
        metavar="1,7",
        help="draw these shots only (default: all of them)",
    )
    verb.add_argument(
        "--waveforms",
        nargs="+",
        metavar="FILES",
        help="to draw under the picks: a data set folder, or files whose names --names reads",
    )
    verb.set_defaults(run=_run_correct)


def _run_correct(arguments: argparse.Namespace) -> int:
    from phasenet_keras.cli.bars import CountBar
    from phasenet_keras.cli.report import correction_table
    from phasenet_keras.io.gathers import read_gather_picks
    from phasenet_keras.io.geometry import read_geometry
    from phasenet_keras.io.registry import noted
    from phasenet_keras.training.physics import check_physics, said_of_speed
    from phasenet_keras.training.pseudolabels import correct_picks
    from phasenet_keras.training.survey import (
        summary_of,
        unused_rows,
        with_phases,
        with_times,
    )

    _check_outputs(arguments)
    console = open_console(arguments.output is None)
    geometry = read_geometry(arguments.geometry) if arguments.geometry else None
    with noted() as notes:
        picks = read_gather_picks(
            arguments.picks,
            geometry=geometry,
            names=arguments.names,
            shots=arguments.shots,
            receivers=arguments.receivers,
        )
    say_some(console, notes, "[cyan]note[/]", MAX_LINES)
    rate_hz = picks.sampling_rate or arguments.sampling_rate_hz
    bounds = {"P": arguments.p_bounds, "S": arguments.s_bounds}
    config = read_correction(arguments.settings, bounds, rate_hz, arguments.reciprocity)
    table = with_phases(picks.table, config.phases)
    table = _placed(table, geometry, arguments.fill, picks.names)
    shots = _shots_to_draw(table, arguments.plot_shots)
    if said := said_of_speed(table):
        say(console, said, "[cyan]note[/]")
    with CountBar(console, "correcting") as bar:
        corrected = correct_picks(table, config, progress=bar.take)
    broken = check_physics(corrected, arguments.vp_vs)
    corrected = with_times(corrected, geometry, config.sampling_rate_hz)
    unused = [
        (int(picks.rows[n]), note) for n, note in unused_rows(corrected) if n < len(picks.rows)
    ]
    _say(console, picks, geometry, unused)
    _refuse_nothing(corrected)
    _write(corrected, broken, arguments, config.sampling_rate_hz)
    if arguments.plot:
        _draw(corrected, shots, arguments, geometry, config.sampling_rate_hz, console)
    console.print(correction_table(summary_of(corrected, broken)))
    _say_settings(console, corrected)
    failed = bool(picks.bad or unused or (geometry and geometry.bad))
    return EXIT_SOME_FAILED if failed else 0


def _refuse_nothing(corrected: DataFrame) -> None:
    """Refuse a result without a corrected pick: it would take the place of a good one."""
    if not corrected["how"].eq("dropped").all():
        return
    counts = corrected["note"].value_counts()
    why = f"{counts.index[0]} ({counts.iloc[0]} of {len(corrected)} rows)" if len(counts) else ""
    raise ConfigError(
        f"no gather could be corrected, nothing is written: {why or 'the table has no rows'}. Each "
        "needs six picks of a phase on one side (min_points); phases are "
        f"{', '.join(corrected.attrs['settings'])}"
    )


def _check_outputs(arguments: argparse.Namespace) -> None:
    from phasenet_keras.io.new_files import check_folder
    from phasenet_keras.io.seisbench import dataset_chunks
    from phasenet_keras.io.tables import check_table_path

    outputs = (arguments.output, arguments.rules, arguments.markers, arguments.quakeml)
    written = [path for path in outputs if path]
    settings = Path(arguments.settings)
    waveforms = list(arguments.waveforms or ())
    read = [path for path in (arguments.picks, arguments.geometry, settings) if path]
    read += [file for folder in waveforms for pair in dataset_chunks(folder) for file in pair]
    refuse_overwriting(read, written)
    settled_inputs(waveforms, written)
    for path in (arguments.output, arguments.rules):
        if path:
            check_table_path(path)
    for path in (arguments.markers, arguments.quakeml):
        if path:
            check_folder(path)
    if arguments.output is None and sys.stdout is None:
        raise ConfigError("standard output is closed: name a file with --output")
    if arguments.plot:
        make_folder(arguments.plot)


def _placed(
    table: DataFrame, geometry: Geometry | None, fill: bool, names: Sequence[Sequence[str]]
) -> DataFrame:
    """Return the table with offsets where there is a geometry, refusing one that does not fit.

    The names are those of the picks' files and stations.
    """
    from phasenet_keras.io.gather_names import fitting_names
    from phasenet_keras.io.wording import some
    from phasenet_keras.training.survey import filled_up, with_offsets

    fitting = fitting_names(names)
    table = filled_up(table, geometry) if fill else table
    if geometry is None:
        if "offset_m" not in table and any(
            table[name].dtype.kind != "i" for name in ("shot", "receiver")
        ):
            shot, receiver = table.iloc[0][["shot", "receiver"]]
            raise ConfigError(
                "without --geometry the offset is receiver number minus shot number; received "
                f"shot '{shot}' and receiver '{receiver}': give --geometry, or --names such as "
                f"'{fitting}'"
            )
        return table
    table = with_offsets(table, geometry)
    if not table["offset_m"].notna().any():
        shot, receiver = table.iloc[0][["shot", "receiver"]]
        raise ConfigError(
            f"no pick is of a shot and a receiver of the geometry: the first is of shot '{shot}' "
            f"and receiver '{receiver}', the geometry has shots "
            f"{some(geometry.sources)} and receivers {some(geometry.receivers)}; --names, such as "
            f"'{fitting}', reads both from names of files or stations; a file of several shots is "
            "to be split by shot where its headers do not tell them apart"
        )
    return table


def _write(
    corrected: DataFrame,
    broken: DataFrame,
    arguments: argparse.Namespace,
    rate_hz: float | None,
) -> None:
    from phasenet_keras.io.markers import write_markers
    from phasenet_keras.io.new_files import beside_then_rename
    from phasenet_keras.io.quakeml import write_quakeml
    from phasenet_keras.training.survey import arrivals_of

    # Refused where no times are known, before anything is written.
    wants_times = arguments.markers or arguments.quakeml
    arrivals, kinds = arrivals_of(corrected, rate_hz) if wants_times else ([], [])
    text = _as_written(corrected, rate_hz).to_csv(
        index=False, float_format="%.15g", lineterminator="\n"
    )
    if arguments.output:
        with beside_then_rename(arguments.output) as file:
            file.write(text)
    else:
        sys.stdout.write(text)
    if arguments.rules:
        with beside_then_rename(arguments.rules) as file:
            broken.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")
    if arguments.markers:
        write_markers(arrivals, arguments.markers, kinds=kinds)
    if arguments.quakeml:
        write_quakeml(arrivals, arguments.quakeml)


def _as_written(corrected: DataFrame, rate_hz: float | None) -> DataFrame:
    """Return the table as it is written: what was read as it was, what was found to a digit."""
    from phasenet_keras.io.times import iso_time

    places = {
        name: DECIMALS_OF_S if name.endswith("_s") else DECIMALS
        for name in corrected.select_dtypes("float")
        if str(name).startswith(("corrected_", "residual_", "uncertainty_"))
    }
    places |= {name: DECIMALS for name in ("offset_m", "reciprocity_weight") if name in corrected}
    written = corrected.round(places)
    for name in {"start_time", "corrected_time"} & set(written):
        known = written[name].notna()
        written.loc[known, name] = [f"{iso_time(t, rate_hz or 0.0)}Z" for t in written[name][known]]
    return written


def _shots_to_draw(table: DataFrame, wanted: Sequence[str]) -> list[str]:
    """Return the shots that are wanted, all where none is named; refuse any that is not there."""
    from phasenet_keras.io.text_tables import name_key
    from phasenet_keras.io.wording import some

    shots = [str(shot) for shot in table["shot"].unique()]
    named = [name_key(shot) for shot in wanted]
    if unknown := [shot for shot in named if shot not in shots]:
        near = f"those that there are: {some(shots)}"
        if all(shot.isdecimal() for shot in (unknown[0], *shots)):
            shots.sort(key=lambda shot: abs(int(shot) - int(unknown[0])))
            near = f"the nearest to {unknown[0]}: {some(shots)}"
        raise ConfigError(f"--plot-shots: no pick is of shot {', '.join(unknown)}; {near}")
    return named or shots


def _draw(
    corrected: DataFrame,
    shots: Sequence[str],
    arguments: argparse.Namespace,
    geometry: Geometry | None,
    rate_hz: float | None,
    console: Console,
) -> None:
    from phasenet_keras.cli.bars import CountBar
    from phasenet_keras.io.registry import noted
    from phasenet_keras.io.survey_waveforms import read_gather_records
    from phasenet_keras.plot_gather import save_gather

    waveforms: dict[str, dict[str, Any]] = {}
    if arguments.waveforms:
        with noted() as notes:
            records = read_gather_records(arguments.waveforms, arguments.names, geometry)
        for shot, receiver, record in records:
            waveforms.setdefault(shot, {})[receiver] = record
        notes += _said_of_others(records, waveforms)
        say_some(console, list(dict.fromkeys(notes)), "[cyan]note[/]", MAX_LINES)
    groups = [(shot, rows) for shot, rows in corrected.groupby("shot") if str(shot) in shots]
    with CountBar(console, "drawing") as bar:
        for done, (shot, rows) in enumerate(groups, start=1):
            save_gather(rows, arguments.plot, waveforms.get(str(shot)), rate_hz)
            bar.take(done, len(groups))


def _said_of_others(
    records: Sequence[GatherRecord], drawn: Mapping[str, Mapping[str, LabelledWaveform]]
) -> list[str]:
    """Say which records are not drawn, for another has the same shot and receiver."""
    from phasenet_keras.io.wording import some

    others = []
    for shot, receiver, record in records:
        of_both = drawn[shot][receiver]
        if record is not of_both:
            names = f"{record.waveform.station}, drawn is {of_both.waveform.station}"
            others.append(f"shot {shot}, receiver {receiver}: {names}")
    said = "records are not drawn, for another is of the same shot and receiver"
    return [f"{len(others)} of {len(records)} {said} ({some(others)})"] if others else []


def _say(
    console: Console,
    picks: GatherPicks,
    geometry: Geometry | None,
    unused: Sequence[tuple[int, str]],
) -> None:
    texts = [f"geometry, {item}" for item in (geometry.bad if geometry else [])]
    texts += [str(item) for item in picks.bad]
    texts += [f"row {row}: {note}" for row, note in unused]
    say_some(console, texts, "[yellow]unused[/]", MAX_LINES)


def _say_settings(console: Console, corrected: DataFrame) -> None:
    phases = set(corrected["phase"])
    for phase, item in corrected.attrs.get("settings", {}).items():
        if phase not in phases:
            continue
        chosen = corrected.attrs.get("chosen_on", {}).get(phase)
        how = f"chosen on {counted(len(chosen), 'gather')}" if chosen else "as given"
        console.print(
            f"{phase}: Huber epsilon {item['huber_epsilon']:g}, C {item['svr_c']:g}, kernel width "
            f"{item['kernel_width']:g}, {how}",
            highlight=False,
        )
