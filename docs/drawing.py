"""Figures that are drawn when the site is built, each for a light and for a dark page."""

import io
from collections.abc import Callable

import matplotlib
from matplotlib.figure import Figure

LIGHT = {"ink": "#424242", "curve": "#3949ab", "mark": "#c62828", "quiet": "#9e9e9e"}
DARK = {"ink": "#cfcfcf", "curve": "#9fa8da", "mark": "#ef9a9a", "quiet": "#757575"}
INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
STYLE = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "spikebench",  # else ids would differ from build to build
    "axes.spines.top": False,
    "axes.spines.right": False,
} | dict.fromkeys(INKED, LIGHT["ink"])


def themed(draw: Callable[[], Figure]) -> dict[str, bytes]:
    """What `draw` draws in the colours LIGHT as SVG with a transparent ground, and the same in those of DARK."""
    with matplotlib.rc_context(STYLE):
        out = io.BytesIO()
        draw().savefig(out, format="svg", transparent=True, metadata={"Date": None})
    light = dark = out.getvalue().decode()
    for name, colour in LIGHT.items():
        dark = dark.replace(colour, DARK[name])
    return {"light": light.encode(), "dark": dark.encode()}


def shown(name: str, alternative: str) -> str:
    """Markdown that shows the one of a figure's two files that suits the page."""
    return "\n".join(f"![{alternative}]({name}-{theme}.svg#only-{theme})" for theme in ("light", "dark"))
