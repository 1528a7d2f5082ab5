"""What do the official weights say of a vertical-only record?

The first kernel is adapted from three channels to Z. The adapted network equals the three-channel
one fed with zeros for E and N and Z times 3, which is the official rule for missing channels:

    python examples/adapt_to_one_channel.py
"""

from __future__ import annotations

import numpy as np

from phasenet_keras import PhaseNet, Picker, Waveform, read_waveforms


def main() -> None:
    [record] = read_waveforms()
    vertical = Waveform(
        record.data[:, [record.channels.index("Z")]],
        record.sampling_rate,
        record.start_time,
        ("Z",),
        record.station,
    )
    [padded] = Picker(PhaseNet.from_preset("ncedc")).annotate(vertical)
    picker = Picker(PhaseNet.from_preset("ncedc", channels="Z"))
    [adapted] = picker.annotate(vertical)

    difference = np.abs(padded.probabilities - adapted.probabilities).max()
    print(f"largest difference of a probability, padded against adapted: {difference:.1e}")
    for pick in picker.pick(vertical):
        print(f"  {pick.phase}  {pick.time}  probability {pick.probability:.2f}")


if __name__ == "__main__":
    main()
