"""asv's pages as part of the site, and the page of the steps that its committed results show; made when the site is built.

Without asv, npm or the commits that were measured, the site is built all the same and the page says what is missing.
"""

import math
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikebench import units

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "asv"
HTML = ROOT / ".asv" / "html"
LATENCY = ".track_latency"
LEAST, ERRORS, COMMITS = 0.1, 3.0, 2  # a step: this share, this many standard errors, held for this many commits
# where the code is, and where it was before it had packages
MEASURING = (
    "worker.py",
    "host",
    "run",
    "sampling",
    "workloads",
    "metrics/latency.py",
    "clock.py",
    "environment.py",
    "runner.py",
    "workload.py",
)
COMPUTING = {
    "cpu": ("backends/cpu",),
    "eager": ("backends/eager.py", "neurons", "neuron.py", "numerics", "surrogate.py", "scan.py"),
}
MOST = 6  # commits named at a step


@dataclass(frozen=True)
class Step:
    """Times of a case before and after, in seconds, and the measured commits between which they changed."""

    subject: str
    sizes: tuple[Any, ...]  # T, B, N; of several cases along an axis its ends, as text
    commits: tuple[str, str]
    before: list[float]
    after: list[float]
    noise: float

    @property
    def ratio(self) -> float:
        return statistics.median(self.after) / statistics.median(self.before)


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the page of steps."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "history.md", content="\n".join(page(published()))))
    return files


def on_post_build(config: "MkDocsConfig") -> None:
    """Put asv's pages into the site."""
    if published() is None:
        shutil.copytree(HTML, Path(config.site_dir) / "asv", dirs_exist_ok=True)


@lru_cache(maxsize=1)
def published() -> str | None:
    """None once asv's pages stand in .asv/html and need no other server; else why they don't."""
    if find_spec("asv") is None:
        return "asv is not installed: `pip install -e '.[asv]'`"
    if not history():
        return "this clone does not have the commits that were measured: `git fetch --unshallow`"
    line = [sys.executable, "-m", "spikebench", "asv", "publish", "HEAD", "--no-pull"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"asv publish failed: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    said = [text for text in done.stderr.splitlines() if "need the network" in text]
    return said[0].partition("need the network: ")[2] if said else None


def git(*words: str) -> list[str]:
    """Lines that git prints about this checkout; none where there is no git or no checkout."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


@lru_cache(maxsize=1)
def history() -> tuple[str, ...]:
    """Hashes of the measured commits that this clone has, oldest first."""
    measured = {p.name.partition("-")[0] for p in RESULTS.glob("*/*-*.json")}
    return tuple(c for c in git("rev-list", "--first-parent", "--reverse", "HEAD") if c[:8] in measured)


def page(missing: str | None) -> Iterator[str]:
    """What stands in history.md."""
    yield "# Over the commits\n\n`spikebench asv run first^..last` measures the sweep `regression` at commits of this repository, each case after its gate in a process"
    yield "of its own. `spikebench asv publish` makes pages of the results.\n"
    if missing:
        yield f"asv's pages are not part of this site, because {missing}.\n"
    else:
        yield '<a href="asv/index.html">asv\'s pages</a> draw every case over the commits, and list what is slower now than it was.\n'
    if find_spec("asv") is None or len(history()) <= 2 * COMMITS:
        yield "Without asv or the commits that were measured there is no table of steps."
        return
    for folder in sorted(p for p in RESULTS.iterdir() if p.is_dir()):
        yield from machine(folder)


def machine(folder: Path) -> Iterator[str]:
    """The steps seen on a machine, with the commits that may have made them."""
    values = series(folder)
    measured = [c for c in history() if any(folder.glob(f"{c[:8]}-*.json"))]
    found = [
        step
        for (subject, *sizes), times in (values | along(values)).items()
        for step in steps(subject, tuple(sizes), times)
    ]
    yield f"## {folder.name}\n\n{len(measured)} commits, {measured[0][:7]} to {measured[-1][:7]}, {len(values)} cases, one process for each case and commit.\n"
    yield "A step is a change of level that asv's step detection finds in the medians, that holds for two measured commits on both sides,"
    yield "and that is larger than 10 % and than three standard errors of the difference of its two levels. The errors come from the noise:"
    yield "how far neighbouring commits of the same case differ, 1.48 times the median of their absolute log ratios. `before` and `after` are"
    yield "medians over the commits of a level, with the least and the largest. A ratio below 1 is faster. Each case is tested alone, and the"
    yield "geometric mean of a subject's cases along an axis (`128…2000`), which strays less. Commits were measured at different"
    yield "hours of a machine whose speed changes: one case alone that moves is no proof, many of one kind at one commit are a reason to look.\n"
    if not found:
        yield "No step here is larger than the noise.\n"
    for between in sorted({step.commits for step in found}, key=lambda pair: history().index(pair[1])):
        yield from _section(between, [step for step in found if step.commits == between])


def _section(between: tuple[str, str], found: list[Step]) -> Iterator[str]:
    old, new = between
    yield f"### {new[:7]}\n\nThe measured commit before is {old[:7]}. Between them:\n"
    yield from _changes(between, found)
    yield "\n| subject | T | B | N | before | after | ratio | noise |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for s in found:
        cells = [
            f"`{s.subject}`",
            *map(str, s.sizes),
            _level(s.before),
            _level(s.after),
            f"{s.ratio:.2f}",
            f"{s.noise:.0%}",
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _changes(between: tuple[str, str], found: list[Step]) -> Iterator[str]:
    """Commits of a range that touched what these subjects compute or how they are measured."""
    backends = {step.subject.partition("@")[2] for step in found}
    paths = [f"spikebench/{p}" for p in (*MEASURING, *(p for b in backends for p in COMPUTING.get(b, ())))]
    lines = git("log", "--format=- `%h` %s", f"{between[0]}..{between[1]}", "--", *paths)
    yield from lines[:MOST] or ["- no commit that touched what is computed or how it is measured"]
    if len(lines) > MOST:
        yield f"- and {len(lines) - MOST} more"


def _level(times: list[float]) -> str:
    low, middle, high = (units.show(t, "s") for t in (min(times), statistics.median(times), max(times)))
    return f"{middle} [{low}, {high}]"


def series(folder: Path) -> dict[tuple, list[tuple[str, float]]]:
    """Medians of a machine's cases at each commit that has them, oldest first, by subject, T, B and N."""
    from asv.results import iter_results_for_machine

    found: dict[tuple, dict[str, float]] = {}
    for results in iter_results_for_machine(str(RESULTS), folder.name):
        for key in results.get_all_result_keys():
            parameters = results.get_result_params(key)
            if not key.endswith(LATENCY):
                continue
            for point, value in zip(product(*parameters), results.get_result_value(key, parameters), strict=True):
                if value is not None and not math.isnan(value):
                    case = (point[0].strip("'"), *map(int, point[1:]))
                    found.setdefault(case, {})[results.commit_hash] = value
    return {case: [(c, times[c]) for c in history() if c in times] for case, times in found.items()}


def along(values: dict[tuple, list[tuple[str, float]]]) -> dict[tuple, list[tuple[str, float]]]:
    """The geometric mean of a subject's cases that differ in T alone, or in N alone, at each commit that has them all."""
    found: dict[tuple, list[tuple[str, float]]] = {}
    for axis in (1, 3):  # of subject, T, B, N
        groups: dict[tuple, list[tuple]] = {}
        for case in values:
            groups.setdefault(case[:axis] + case[axis + 1 :], []).append(case)
        for cases in (sorted(group, key=lambda case: case[axis]) for group in groups.values() if len(group) > 2):
            times = [dict(values[case]) for case in cases]
            name = (*cases[0][:axis], f"{cases[0][axis]}…{cases[-1][axis]}", *cases[0][axis + 1 :])
            whole = [c for c in times[0] if all(c in each for each in times)]
            found[name] = [(c, statistics.geometric_mean([each[c] for each in times])) for c in whole]
    return found


def steps(subject: str, sizes: tuple[Any, ...], times: list[tuple[str, float]]) -> Iterator[Step]:
    """The steps of a series that its noise does not explain."""
    from asv.step_detect import detect_steps

    if len(times) < 2 * COMMITS:
        return
    noise = 1.4826 * statistics.median(abs(math.log(b / a)) for (_, a), (_, b) in pairwise(times))
    levels = [(left, right) for left, right, *_ in detect_steps([math.log(t) for _, t in times])]
    for (start, middle), (_, end) in pairwise(levels):
        before, after = ([t for _, t in times[a:b]] for a, b in ((start, middle), (middle, end)))
        step = Step(subject, sizes, (times[middle - 1][0], times[middle][0]), before, after, noise)
        if min(len(before), len(after)) >= COMMITS and abs(math.log(step.ratio)) > max(LEAST, ERRORS * error(step)):
            yield step


def error(step: Step) -> float:
    """Standard error of the log ratio of two levels: medians, of commits that each stray by the noise over √2."""
    spread = math.sqrt(1 / len(step.before) + 1 / len(step.after))
    return math.sqrt(math.pi / 2) * spread * step.noise / math.sqrt(2)
