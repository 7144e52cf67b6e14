"""A badge: one comparison as an SVG that needs no server, such as "gated · 2.10x [2.00, 2.20] vs lif@eager · NVIDIA H100"."""

from collections import defaultdict
from collections.abc import Sequence

from markupsafe import escape

from spikebench.analysis import paired
from spikebench.cases.subject import parse_subject, shown
from spikebench.errors import Problem
from spikebench.records.origin import by_origin
from spikebench.records.record import FEWEST, Record

LEFT, WIDE, PADDING = "spikebench", 6.7, 16.0  # WIDE: of a letter at 11 px, so that no text leaves its box
COLOURS = {"faster": "#0a6b3d", "same": "#57606a", "slower": "#a63a00", "inconclusive": "#57606a"}
DRAWN = """<svg xmlns="http://www.w3.org/2000/svg" width="{whole:.0f}" height="20" role="img" aria-label="{label}">
<title>{label}</title>
<rect width="{left:.0f}" height="20" rx="3" fill="#1b1f24"/>
<rect x="{left:.0f}" width="{right:.0f}" height="20" rx="3" fill="{colour}"/>
<g fill="#fff" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11" text-anchor="middle">
<text x="{first:.1f}" y="14">{name}</text>
<text x="{second:.1f}" y="14">{text}</text>
</g>
</svg>
"""


def badge(records: Sequence[Record], subject: str, baseline: str) -> str:
    """The SVG of a subject against a baseline, from records of one case of each on one device.

    Raises Problem where there are none or several, where a gate is not green, and below five pairs.
    """
    text, verdict = said(records, str(parse_subject(subject)), str(parse_subject(baseline)))
    left, right = (len(part) * WIDE + PADDING for part in (LEFT, text))
    label = escape(f"{LEFT}: {shown(str(parse_subject(subject)))} {text}")
    places = {"first": left / 2, "second": left + right / 2, "left": left, "right": right, "whole": left + right}
    return DRAWN.format(label=label, name=LEFT, text=escape(text), colour=COLOURS[verdict], **places)


def said(records: Sequence[Record], mine: str, base: str) -> tuple[str, str]:
    """The text of a badge, and the verdict in it."""
    points: dict[object, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for r in records:
        if r.case["subject"] in (mine, base):
            points[paired.point(r)][str(r.case["subject"])].append(r)
    both = [sides for sides in points.values() if {mine, base} <= sides.keys()]
    origins = len(by_origin(r for sides in both for part in sides.values() for r in part))
    if len(both) != 1 or origins != 1:
        raise Problem(
            f"a badge is of one case on one device; {mine} and {base} have {len(both)} cases of {origins} origins here"
        )
    ours = both[0][mine]
    if not all(r.gate and r.gate.status == "passed" for r in [*ours, *both[0][base]]):
        raise Problem(f"not every record of {mine} and {base} has a green gate, so there is no badge")
    found = paired.compared(both[0][base], ours)
    if found.ratio is None or found.verdict is None or found.n < FEWEST:
        raise Problem(
            f"a badge takes {FEWEST} pairs; {mine} and {base} have {found.n}{f': {found.reason}' if found.reason else ''}"
        )
    r, e = found.ratio, ours[0].environment
    card = e.get("gpu") if ours[0].case["device"] == "cuda" else None
    device = card.get("name") if isinstance(card, dict) else card or e.get("cpu") or e.get("machine")
    ratio = f"{r.estimate:.2f}x [{r.low:.2f}, {r.high:.2f}]"
    return f"gated · {ratio} vs {shown(base)} · {device}", found.verdict
