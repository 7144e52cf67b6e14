"""The verdict of a profile as one HTML page that needs nothing else: sentence, figure, facts, reasons, and what they rest on."""

import re
from typing import TYPE_CHECKING

from spikebench.plots._chart import View
from spikebench.report import figures
from spikebench.report import profile_verdict as verdict
from spikebench.report._template import rendered
from spikebench.report.html import as_html
from spikebench.report.profile_page import details

if TYPE_CHECKING:
    from spikebench.experiments.profile import Profile


def page(profile: "Profile") -> str:
    """The HTML of a profile's verdict."""
    drawn = _figures(profile)
    return rendered(
        "_profile.html",
        title=f"Profile of {verdict.short(profile.subject)}",
        good=profile.status == "ok",
        sentence=verdict.sentence(profile),
        facts=verdict.facts(profile),
        reasons=verdict.reasons(profile),
        note=profile.why.note,
        slow=profile.status == "ok" and verdict.slow(profile),
        figures=drawn,
        figure_style=figures.style() if drawn else "",
        figure_script=figures.script() if drawn else "",
        details=_scrolling(as_html(details(profile))),
    )


def _scrolling(html: str) -> str:
    """Tables that scroll by themselves where the page is narrow; each is named by the heading before it."""

    def region(match: re.Match[str]) -> str:
        name = re.sub("<.*?>", "", re.findall(r"<h\d>(.*?)</h\d>", html[: match.start()])[-1:][0])
        return f'<div class="scroll" role="region" tabindex="0" aria-label="{name}"><table>'

    return re.sub("<table>", region, html).replace("</table>", "</table></div>")


def _figures(profile: "Profile") -> list[str]:
    """Time over T in the mode of the verdict, one's own line bold; none where only one length was measured."""
    shown = verdict.shown_records(profile)
    return figures.elements("scaling", shown, View(bold=verdict.short(profile.subject))) if shown else []
