"""Why a record has no picks, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasenet_keras.models.contract import Preset

__all__ = ["why_no_picks"]

# A record that resampling leaves a quarter of, or less, may be of another kind than the network's.
FEW_OF = 4
# Of so few samples nothing tells a dead channel.
FEW_SAMPLES = 16


def why_no_picks(
    preset: Preset,
    highest: Mapping[int, float],
    n_samples: int,
    is_live: bool,
    n_recorded: int,
    recorded_hz: float,
) -> str:
    """Say why a record has no picks.

    Args:
        preset: that picked it.
        highest: probability by column of the network's output.
        n_samples: of the annotation.
        is_live: some channel holds a signal.
        n_recorded: samples of the record itself.
        recorded_hz: its sampling rate.
    """
    window, phases = preset.window_samples, preset.config.phases
    short = f"{n_samples} samples, the network's window is {window}" if n_samples < window else ""
    is_resampled = bool(short) and n_recorded >= FEW_OF * n_samples
    if is_resampled:
        short = (
            f"the {n_recorded} samples at {recorded_hz:g} Hz are {n_samples} at "
            f"{preset.sampling_rate:g} Hz, the preset's rate, and its window is {window}: "
            "--sampling reinterpret takes samples as they are (in Python sampling='reinterpret')"
        )
    if not is_live:
        nothing_tells = is_resampled and n_samples <= FEW_SAMPLES
        return f"too short: {short}" if nothing_tells else "dead: every channel is constant"
    listed = ", ".join(f"{phases[column]} {value:.2f}" for column, value in highest.items())
    reason = f"no peak above the threshold: highest was {listed}"
    return f"too short ({short}); {reason}" if short else reason
