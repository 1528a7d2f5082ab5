"""`phasenet-keras convert`."""

from __future__ import annotations

import argparse
from pathlib import Path

from phasenet_keras.cli.common import exit_status
from phasenet_keras.cli.console import open_console, say
from phasenet_keras.data.scaling import NORMALIZATIONS
from phasenet_keras.quiet import quiet_start

__all__ = ["add_convert"]


def add_convert(verbs: argparse._SubParsersAction) -> None:
    """Add `convert` to the parser."""
    verb = verbs.add_parser(
        "convert",
        help="turn foreign weights into a preset",
        description="Turn an official TensorFlow 1 checkpoint, a Keras 2 H5 file of the earlier "
        "Keras port, or a PhaseNet of SeisBench's (name.pt with name.json beside it) into a preset "
        "folder.",
        epilog=exit_status(),
    )
    verb.add_argument(
        "weights", type=Path, metavar="WEIGHTS", help="model.h5, name.pt, or a checkpoint"
    )
    verb.add_argument("output", type=Path, metavar="DIR", help="preset folder to write")
    verb.add_argument(
        "--sampling-rate-hz",
        type=float,
        metavar="HZ",
        help="of the training data; SeisBench's JSON says it, as the next four",
    )
    verb.add_argument("--window", type=int, metavar="SAMPLES", help="of the training windows")
    verb.add_argument("--channels", metavar="ENZ", help="in order (default: ENZ, or Z for one)")
    verb.add_argument("--phases", help="in order (default: NPS)")
    verb.add_argument(
        "--normalization",
        choices=NORMALIZATIONS,
        help="what records were divided by in training: deviation or peak (default: std)",
    )
    verb.add_argument("--name", help="of the preset (default: the folder's)")
    verb.add_argument("--license", default="not stated", help="of the weights")
    verb.add_argument(
        "--rebalance",
        action="store_true",
        help="scale kernels to one rms for training; the function stays the same",
    )
    verb.add_argument(
        "--overwrite", action="store_true", help="take the place of the preset in DIR"
    )
    verb.set_defaults(run=_run_convert)


def _run_convert(arguments: argparse.Namespace) -> int:
    with quiet_start():
        from phasenet_keras.models.convert import convert_preset

        preset = convert_preset(
            arguments.weights,
            arguments.output,
            sampling_rate=arguments.sampling_rate_hz,
            window_samples=arguments.window,
            channels=arguments.channels,
            phases=tuple(arguments.phases) if arguments.phases else None,
            normalization=arguments.normalization,
            name=arguments.name,
            rebalance=arguments.rebalance,
            overwrite=arguments.overwrite,
            license=arguments.license,
        )
    channels = ",".join(preset.config.channels)
    say(
        open_console(False),
        f"preset '{preset.name}' written to {arguments.output}: channels {channels}, "
        f"{preset.sampling_rate:g} Hz, window {preset.window_samples}, normalization "
        f"{preset.normalization}",
    )
    return 0
