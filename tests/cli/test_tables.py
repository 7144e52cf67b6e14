"""No table shows part of a number, unit or name: every command that prints one, at five widths, read back and compared."""

import io
import json
import math
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import scipy.stats
import screen
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from spikebench import claim, plots, units
from spikebench.analysis import assessment, paired, stats
from spikebench.analysis.comparison import Comparison
from spikebench.cases import case
from spikebench.cases.subject import shown as shown_as
from spikebench.cli import _layout as layout
from spikebench.cli import _print, _records, reproduce
from spikebench.cli import _tables as tables
from spikebench.cli import list as list_command
from spikebench.cli import profile as profile_command
from spikebench.cli.app import app
from spikebench.errors import Problem
from spikebench.experiments.profile import Profile
from spikebench.records import store
from spikebench.records.origin import origin
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson
from spikebench.report import profile_page as verdict
from spikebench.report import profile_verdict
from spikebench.run import process, protocol, runner

RESULTS = Path(__file__).parents[2] / "results"
EPYC, OTHER = RESULTS / "amd-epyc-2c", RESULTS / "amd-epyc-f25m1-2c"
WIDTHS = (40, 60, 80, 100, 160)
LONG = ",".join(f"option_{k}={k}.{k}" for k in range(20))
NASTY = (
    "/a/rather/long/path/to/some/where/with_a_file_of_a_long_name.py:SomeNeuron[decay=0.951229424500714]@eager",
    f"lif[{LONG}]@cpu",
    "x" * 300,
    "脉冲/神经元/模型文件.py:很长的神经元名字[阈=1.5,衰=0.9]",
    "evil\x1b[31m\x07\u202e.py:Red",
    "file:warning:[bold]no markup[/bold]",
)
Table = tuple[Sequence[str], list[list[str]]]
Printed = tuple[Callable[[], object], list[Table]]


def clean(text: str) -> str:
    return re.sub("[\x07\x1b\u202e]", "\ufffd", text)


def command(*args: str) -> Callable[[], object]:
    return lambda: app(list(args), standalone_mode=False)


def from_json(*args: str) -> Any:
    _print.stdout.cache_clear()
    with redirect_stdout(io.StringIO()) as out:
        app([*args, "--json"], standalone_mode=False)
    _print.stdout.cache_clear()
    return json.loads(out.getvalue())


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def listed(kind: str) -> Printed:
    columns = ["id", *list_command.COLUMNS.get(kind, []), "title"]
    rows = [[text(row.get(c)) for c in columns] for row in from_json("list", kind)]
    return command("list", kind), [(columns, rows)]


def doctor() -> Printed:
    found = from_json("doctor")
    energy = [(f"energy of {k}", v["reason"] or v["counter"]) for k, v in found["energy"].items()]
    expected: list[Table] = [(("what", "found"), [[k, text(v)] for k, v in [*found["environment"].items(), *energy]])]
    for part in ("metrics", "backends"):
        rows = [[k, *(text(row[f]) for f in ("available", "reason", "remedy"))] for k, row in found[part].items()]
        expected.append(((part[:-1], "available", "reason", "remedy"), rows))
    return command("doctor"), expected


def records_rows(records: list[dict[str, Any]], each: bool = False) -> Table:
    """The table of `show` and `run`, from the JSON of the records."""
    origins = {id(r): str(origin(Record.from_json(r))) for r in records}
    several = len(set(origins.values())) > 1
    columns = ["subject", "mode", "T", "B", "N", *(("time", "spread") if each else ("n", "time")), "x copy"]
    columns += ["memory", "rate", "compile", "status", *(["origin"] * several)]
    groups: dict[Any, list[dict[str, Any]]] = {}
    for k, r in enumerate(records):
        groups.setdefault(k if each else (r["case_id"], r["case"]["subject"], origins[id(r)]), []).append(r)
    rows: list[list[str]] = []
    for group in groups.values():
        of: dict[str, list[float]] = {}
        for m in (m for r in group for m in r["measurements"] if r["status"] == "ok" and m["samples"]):
            of.setdefault(m["metric"], []).append(statistics.median(m["samples"]))
        times, copies = of.get("latency", []), of.get("copy", [])
        time = units.show(statistics.geometric_mean(times), "s") if times else "—"
        if each:
            samples = [v for m in group[0]["measurements"] if m["metric"] == "latency" for v in m["samples"]]
            over = [time, f"{(max(samples) - min(samples)) / statistics.median(samples):.0%}" if samples else "—"]
        else:
            over = [str(len(times) or len(group)), time + between(times)]
        ratio = statistics.geometric_mean(times) / statistics.geometric_mean(copies) if times and copies else None
        last = [
            units.show(statistics.median(of[k]) if k in of else None, unit)
            for k, unit in (("peak_memory", "B"), ("spike_rate", "1"), ("compile_time", "s"))
        ]
        names = [clean(shown_as(group[0]["case"]["subject"]))]
        names.append(" ".join(group[0]["case"][k] for k in ("mode", "network") if group[0]["case"].get(k)))
        status = [group[0]["status"], *sorted({f for r in group for f in r["flags"]})]
        sizes = [str(group[0]["case"][k]) for k in "TBN"]
        where = [origins[id(group[0])]] * several
        rows.append([*names, *sizes, *over, units.show(ratio, "1"), *last, " ".join(status), *where])
    return columns, rows


def between(times: list[float]) -> str:
    """The t interval of the mean log, in the unit of the mean."""
    if len(times) < 2:
        return ""
    mean, error = stats.geometric(times).value, statistics.stdev(map(math.log, times)) / math.sqrt(len(times))
    half = float(scipy.stats.t.ppf(0.975, len(times) - 1)) * error
    if half > math.log(10) / 2:
        return " [over 10x wide]"
    scale = next(s for s in (1.0, 1e-3, 1e-6, 1e-9) if mean >= s)
    return f" [{units.digits(mean * math.exp(-half) / scale)}, {units.digits(mean * math.exp(half) / scale)}]"


def shown(*files: Path, each: bool = False) -> Printed:
    every = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    records = [r for r in every if r["case"]["workload"] != "training"]  # these have a table of their own below
    return command("show", *map(str, files), *["--each"] * each), [records_rows(records, each)]


def analysed(option: str, file: Path) -> Printed:
    rows = from_json("show", option, str(file))
    return command("show", option, str(file)), [(list(rows[0]), [[str(v) for v in row.values()] for row in rows])]


def interval(row: Mapping[str, Any]) -> str:
    ends = f"[{units.digits(row['low'])}, {units.digits(row['high'])}]" if row["low"] else "[no interval]"
    return f"{units.digits(row['ratio'])}x {ends}, n={row['n']}"


def diff() -> Printed:
    args = ("diff", str(EPYC / "growth.jsonl"), str(OTHER / "growth.jsonl"), "--anyway")
    rows = from_json(*args)
    columns = ("subject", "mode", "T", "B", "N", "ratio", "verdict", "reason")
    made = [
        [
            r["subject"],
            *(str(r["case"][k]) for k in ("mode", "T", "B", "N")),
            interval(r),
            r["verdict"],
            text(r["reason"]),
        ]
        for r in rows
    ]
    return command(*args), [(columns, made)]


def nasty_records() -> list[Record]:
    made: list[Record] = []
    for k, subject in enumerate(NASTY):
        where = case.Case("lif@cpu", T=10_000 * 10**k, B=16, N=512)
        samples = {
            "latency": ("s", 0.0168),
            "copy": ("s", 0.00168),
            "peak_memory": ("B", 2.0**29),
            "spike_rate": ("1", 0.3),
        }
        measured = [Measurement(m, u, samples=[v, v * 1.1]) for m, (u, v) in samples.items()]
        made.append(
            Record(
                "r",
                "0" * 12,
                cast(CaseJson, {**where.to_json(), "subject": subject}),
                "ok" if k else "wrong",
                None if k else "because",
                measured,
                flags=["ungated"],
            )
        )
    return made


def run(folder: Path) -> Printed:
    records = nasty_records()

    def action() -> None:
        plots.draw = no_figures  # pyright: ignore[reportAttributeAccessIssue]  # in a child process
        runner.run = lambda *_, **__: iter(records)  # pyright: ignore[reportAttributeAccessIssue]  # in a child process
        command("run", "--subject", "lif@cpu", "--out", str(folder / "r.jsonl"))()

    return action, [records_rows([r.to_json() for r in records])]


def comparisons() -> list[Comparison]:
    ratio = stats.paired_ratio([4.0, 4.1, 4.2, 4.0, 4.1], [0.00101, 0.001, 0.00102, 0.001, 0.001])
    results = (
        paired.Result(ratio, "faster", medians=(4.1, 0.001)),
        paired.Result(None, None, "refused", "it cannot", medians=(4.1, float("nan"))),
    )
    cases = [case.Case("lif@cpu", T=10_000 * 10**k, B=16, N=512) for k in range(len(NASTY))]
    return [
        Comparison(name, "lif@eager", where, "latency", results[k % 2], results[k % 2].reason)
        for k, (name, where) in enumerate(zip(NASTY, cases, strict=True))
    ]


def compared() -> Printed:
    rows = comparisons()
    expected: list[list[str]] = []
    for row in rows:
        r = row.ratio
        texts = [interval(row.to_json()) if r else "—", "—"]
        if r and r.median:
            value, *ends = map(units.digits, r.median)
            texts[1] = f"{value}x [{', '.join(ends)}]"
        sizes = [str(v) for v in (row.case.T, row.case.B, row.case.N)]
        times = [units.show(v, "s") for v in row.medians]
        expected.append(
            [clean(shown_as(row.subject)), row.baseline, "train", *sizes, *times, *texts, row.verdict or row.status]
        )
    columns = ("subject", "against", "mode", "T", "B", "N", "baseline", "time", "speed-up", "median", "verdict")
    return lambda: tables.comparison_table(rows), [(columns, expected)]


CHECKS: list[dict[str, Any]] = [
    {"check": "shape", "passed": True, "detail": "[1000, 16, 128] and [10000, 4, 128]"},
    {"check": "determinism", "passed": False, "detail": f"differs at T = 10,000 after 16.8 ms in {NASTY[0]}"},
    {"check": "gradient", "passed": False, "detail": "largest error 1.25e-05, allowed 1e-05 of the largest gradient"},
]
FOUND = [protocol.CheckResult(**row) for row in CHECKS]


def checked() -> Printed:
    def action() -> None:
        ended = protocol.Outcome("ok", result=protocol.Result(checks=FOUND))
        process.Workers.ask = lambda *_: ended  # pyright: ignore[reportAttributeAccessIssue]  # in a child process
        command("check", "lif", "spsn@scan")()

    subjects = ("lif@eager", "spsn@scan")
    rows = [[s, c["check"], "passed" if c["passed"] else "FAILED", c["detail"]] for s in subjects for c in CHECKS]
    return action, [(("subject", "check", "result", "detail"), rows)]


def profiled() -> Printed:
    records = [r for r in store.load([str(EPYC / "quick.jsonl")]) if r.case["T"] > 100]
    made = Profile(NASTY[0], checks=FOUND, records=records, comparisons=comparisons())
    checks = [[c["check"], "passed" if c["passed"] else "FAILED", c["detail"]] for c in CHECKS]
    times = [list(verdict.time_row(c)) for c in made.comparisons]
    growth = [list(row) for row in verdict.scaling_rows(made)]
    return lambda: profile_command.show(made), [
        (("what", "found"), [list(row) for row in profile_verdict.facts(made)]),
        (verdict.TIME_COLUMNS, times),
        (verdict.SCALING_COLUMNS, growth),
        (("check", "result", "detail"), checks),
    ]


def trained() -> Printed:
    from spikebench.report.rows import trainings

    records = store.load([str(OTHER / "fsdd.jsonl"), str(OTHER / "fsdd70.jsonl")])
    rows = trainings(records)
    columns = sorted({name for row in rows for name in row}, key=[name for row in rows for name in row].index)
    return lambda: tables.training_report(records), [(columns, [[row.get(c, "—") for c in columns] for row in rows])]


def claims() -> Printed:
    records = store.load([str(p) for p in RESULTS.glob("*/claims.jsonl")])
    named = dict(claim.every())
    found = [f for name, c in named.items() for f in assessment.assessments(name, c, records)]
    rows = [
        [
            f.claim + (f" on {f.origin}" if f.origin else ""),
            reproduce.opponent(f, named[f.claim]),
            f.setting or "—",
            str(f.n) if f.n else "—",
            f.claimed,
            f.shown,
            f"{f.strong.shown} ({f.head.planned.strong_name})" if f.strong and f.head else "—",
            f.verdict,
        ]
        for f in found
    ]
    assert len({f.origin for f in found}) > 1, "records of several machines"
    return lambda: reproduce.assessments_table(found, named), [(reproduce.COLUMNS, rows)]


def claim_page(folder: Path) -> Printed:
    """The page as the command writes it into a file: its tables are what stands between bars."""
    args = (
        "reproduce",
        "spsn-4000x",
        "--from",
        str(RESULTS / "amd-epyc-f25m17-2c" / "claims.jsonl"),
        "-o",
        str(folder),
    )

    def action() -> None:
        plots.draw = no_figures  # pyright: ignore[reportAttributeAccessIssue]  # in a child process
        command(*args)()

    screen.shown(80, action)
    expected: list[Table] = []
    lines = (folder / "spsn_4000x.md").read_text().replace("`", "").splitlines()
    for above, line in pairwise(["", *lines]):
        if line.startswith("|"):
            cells = line.strip("| ").split(" | ")
            if not above:
                expected.append((cells, []))
            elif "---" not in line:
                expected[-1][1].append(cells)
    return action, expected


def no_figures(*_: object) -> list[Path]:
    return []


def nodes() -> Printed:
    from spikebench.cases import nir as nir_graph

    found = {"a/b": NASTY[1], "c": Problem("leak is not 0 at 3 of 10,000 neurons")}
    rows = [["a/b", NASTY[1], ""], ["c", "", str(found["c"])]]

    def action() -> None:
        nir_graph.subjects = lambda *_: found  # pyright: ignore[reportAttributeAccessIssue]  # in a child process
        command("from-nir", __file__)()  # a file that is there

    return action, [(("node", "subject", "reason"), rows)]


PRINTED: dict[str, Callable[[], Printed]] = {
    **{f"list {kind}": lambda kind=kind: listed(kind) for kind in list_command.KINDS},
    "doctor": doctor,
    "show": lambda: shown(EPYC / "quick.jsonl", EPYC / "pairs.jsonl"),
    "show --each": lambda: shown(EPYC / "quick.jsonl", EPYC / "pairs.jsonl", each=True),
    "show of five processes each": lambda: shown(RESULTS / "amd-epyc-f25m17-2c" / "libraries.jsonl"),
    "show --growth": lambda: analysed("--growth", EPYC / "growth.jsonl"),
    "show --floor": lambda: analysed("--floor", OTHER / "floor.jsonl"),
    "diff": diff,
    "compare, aa": compared,
    "check": checked,
    "profile": profiled,
    "train": trained,
    "reproduce": claims,
    "from-nir": nodes,
}


@pytest.fixture(scope="module")
def counts(request: pytest.FixtureRequest) -> Iterator[dict[str, dict[int, int]]]:
    """How many cells were compared, by command and width; told at the end."""
    found: dict[str, dict[int, int]] = {}
    yield found
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for name, cells in found.items():
            sys.stdout.write(f"\n{name}: {', '.join(f'{n} cells at {width}' for width, n in cells.items())}")


@pytest.mark.parametrize("name", [*PRINTED, "run", "reproduce CLAIM"])
def test_every_cell_is_whole(name: str, counts: dict[str, dict[int, int]], tmp_path: Path) -> None:
    made = PRINTED.get(name) or (lambda: {"run": run, "reproduce CLAIM": claim_page}[name](tmp_path))
    action, expected = made()
    assert all(rows for _, rows in expected)
    for width in WIDTHS:
        lines = screen.shown(width, action)
        found = screen.tables(lines, *(columns for columns, _ in expected))
        cells = [screen.compare(f, rows, columns) for f, (columns, rows) in zip(found, expected, strict=True)]
        counts.setdefault(name, {})[width] = sum(cells)


@pytest.mark.long
def test_the_text_of_a_page_is_whole(tmp_path: Path) -> None:
    action, _ = claim_page(tmp_path)
    source = re.sub(r"[*`>#]|^\|.*|^- ", "", (tmp_path / "spsn_4000x.md").read_text(), flags=re.MULTILINE)
    for width in WIDTHS:
        printed = "".join("".join(screen.shown(width, action)).replace("▌", "").replace("•", "").split())
        for line in filter(lambda text: text.strip("- "), source.splitlines()):  # a rule is drawn, not written
            assert "".join(line.split()) in printed


WORDS = st.sampled_from(
    ["lif", "spsn@fft", "3.42x", "16.8 ms", "1.95 GiB", "10000", "神经元", "a/b.py:Name[tau=2.5,k=1]"]
)
CELLS = st.one_of(
    st.integers(0, 10**9).map(str),
    st.builds(units.show, st.floats(1e-9, 1e6), st.sampled_from(["s", "B", "1"])),
    st.builds(units.ratio, st.floats(1e-3, 1e4), st.floats(1e-3, 1e4), st.floats(1e-3, 1e4), st.integers(1, 99)),
    st.lists(WORDS, min_size=1, max_size=9).map(" ".join),
    st.text("abcxyz_-/:@,=[]神é", min_size=1, max_size=99),
    st.just("—"),
)


@settings(max_examples=100, deadline=None, derandomize=True, phases=[Phase.generate])  # shrinking takes minutes
@given(st.data(), st.integers(30, 200), st.integers(1, 9), st.integers(1, 4))
def test_random_tables_lose_nothing(data: st.DataObject, width: int, columns: int, rows: int) -> None:
    names = [f"{name} {k}" for k, name in enumerate("subject T time fraction_of rate of memory x y z a b".split())][
        :columns
    ]
    cells = [[data.draw(CELLS | st.just("") if k else CELLS) for k in range(columns)] for _ in range(rows)]
    for k in data.draw(st.sets(st.integers(1, 8), max_size=3)):
        for row in cells:
            row[k:] = cells[0][k : k + 1] + row[k + 1 :]  # a column in which all rows agree
    out = io.StringIO()
    Console(file=out, width=width).print(layout.Table(names, cells))
    lines = out.getvalue().split("\n")
    assert max(len(screen.cells(line)) for line in lines) <= width
    (found,) = screen.tables(lines, names)
    screen.compare(found, cells, names, narrow=True)


def test_into_a_file_nothing_is_folded(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    _print.stdout.cache_clear()
    _records.records_table(nasty_records())
    _print.stdout.cache_clear()
    printed = capsys.readouterr().out
    columns, rows = records_rows([r.to_json() for r in nasty_records()])
    lines = printed.splitlines()
    assert "\x1b" not in printed and lines[0].split("  ")[0] == "subject" and lines[len(rows) + 1] == ""
    for line, row in zip(lines[1:], rows, strict=False):
        assert re.split(r" {2,}", line.strip()) == row
    assert len(columns) == len(rows[0])
