"""What all figures have in common: colours, lines, texts and the numbers on axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from phasenet_keras.io.times import residual_unit
from phasenet_keras.short_repr import three_digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "PHASE_COLORS",
    "TRACE_COLOR",
    "color_of",
    "plain",
    "shortened",
    "style_of",
    "tolerance_text",
    "without_offsets",
]

# Blue and vermilion of the Okabe-Ito palette: told apart with any colour vision, and in print.
PHASE_COLORS = {"P": "#0072B2", "S": "#D55E00"}
OTHER_COLOR = "#009E73"
TRACE_COLOR = "#333333"


def color_of(phase: str) -> str:
    """Return the colour of a phase in all figures."""
    return PHASE_COLORS.get(phase, OTHER_COLOR)


def tolerance_text(seconds: float) -> str:
    """Return a tolerance as figures have it, as "within 1.67 ms"."""
    unit = residual_unit(seconds)
    return f"within {three_digits(unit.per_s * seconds)} {unit.symbol}"


def shortened(name: str, most: int) -> str:
    """Return a name, cut where it has more characters than so many."""
    return name if len(name) <= most else f"{name[:most]}…"


def style_of(phase: str) -> Literal["-", "--"]:
    """Return the style of a phase's lines: solid for P, dashed for others."""
    return "-" if phase == "P" else "--"


def plain(text: str) -> str:
    """Return a text in which no dollar begins a formula."""
    return text.replace("$", r"\$")


def without_offsets(figure: Figure) -> Figure:
    """Write the numbers of all linear axes whole: "+7.422e6" in a corner is overlooked."""
    from matplotlib.ticker import ScalarFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, ScalarFormatter):
                formatter.set_useOffset(False)
        formatter = axes.xaxis.get_major_formatter()
        if isinstance(formatter, ScalarFormatter):
            formatter.set_scientific(False)
    return figure
