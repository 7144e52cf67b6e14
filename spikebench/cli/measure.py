"""Commands that measure: run and compare."""

import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikebench.analysis import noise
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.cases.subject import parse_subject
from spikebench.cli import options as o
from spikebench.cli.tables import (
    comparison_table,
    difference_table,
    records_table,
    stability_notes,
    stderr_progress,
    stdout,
)
from spikebench.cli.train import train_all, training_report
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.records import store
from spikebench.records.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spikebench.analysis.comparison import Comparison
    from spikebench.run.executor import Executor
    from spikebench.run.session import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(run)
    app.command()(compare)
    app.command()(aa)
    app.command()(diff)


def run(
    sweep: Annotated[str | None, typer.Argument(help="A named sweep; `spikebench list sweeps` shows them.")] = None,
    subject: Annotated[list[str] | None, typer.Option("--subject", help="Subject to run; repeat for several.")] = None,
    T: o.T = None,
    B: o.B = None,
    N: o.N = None,
    mode: o.ModeOption = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, float64, bfloat16 or float16.")] = None,
    rate: Annotated[float | None, typer.Option(help="Output spike rate that the input aims at.")] = None,
    workload: o.Workload = None,
    network: o.Network = None,
    metric: o.MetricOption = None,
    samples: o.Samples = 20,
    repeats: Annotated[int, typer.Option(help="Fresh processes per case.")] = 1,
    budget: o.Budget = None,
    timeout: o.Timeout = "300s",
    memory_limit: o.MemoryLimit = None,
    threads: o.Threads = None,
    isolation: o.Isolation = "fork",
    python: o.Python = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines file to append to.")] = None,
    resume: Annotated[bool, typer.Option(help="Leave out what the file already has.")] = False,
    retry: Annotated[bool, typer.Option(help="With --resume: redo what is not ok.")] = False,
    strict: o.Strict = False,
    executor: Annotated[str, typer.Option(help="local, or parsl (extra `cluster`): many GPUs or nodes.")] = "local",
    accelerators: Annotated[str, typer.Option(help="With parsl: the GPUs of this machine to use, 0,1.")] = "0",
    parsl_config: Annotated[Path | None, typer.Option(help="With parsl: a Python file with its `config`.")] = None,
    as_json: o.Json = False,
) -> None:
    """Measure the cases of a sweep, or of the subjects and sizes given."""
    from spikebench.run import session as runner

    given = {k: v for k, v in {"device": device, "dtype": dtype, "rate": rate}.items() if v is not None}
    given |= o.what(workload, network)
    cases = _cases(sweep, subject, T, B, N, mode, **given)
    more: dict[str, Any] = {"repeats": repeats, "strict": strict, "python": o.interpreters(python)}
    read_by = metric or list(sweeps.metrics(sweep or ""))
    settings = o.settings(read_by, samples, timeout, budget, memory_limit, threads, isolation, **more)
    where = out or Path("results") / environment.machine() / f"{sweep or 'run'}.jsonl"
    records: list[Record] = []
    if resume and where.exists():
        count, differing = runner.elsewhere(where, settings)
        if count:
            text = (
                f"{count} records in {where} differ in {', '.join(differing)}: they stay, and do not count as done here"
            )
            print(f"spikebench: {text}", file=sys.stderr)
    with stderr_progress(len(cases) * repeats) as progress:
        there = _executor(executor, settings, accelerators, parsl_config)
        for record in runner.run(cases, settings, where, resume, retry, progress, there):
            records.append(record)
    stability_notes(records)
    if not as_json:
        records_table(records)
    whole = sweep is not None and not subject and (T, B, N, mode) == (None, None, None, None) and not given
    if whole and (companion := sweeps.companion(sweep or "")):
        records += _companion(companion, settings, where, as_json)
    if as_json:
        stdout().print_json(json.dumps([r.to_json() for r in records]))
        return
    stdout().print(f"\n{len(records)} records in {where}: spikebench report '{where}' puts them on a page")
    for path in _figures(records, Path("out") / (sweep or "run")):
        stdout().print(f"figure {path}")
    if records and all(r.status == "refused" for r in records):
        raise Problem(f"nothing could be run: {records[0].reason}")


def _executor(name: str, settings: "Settings", accelerators: str, config: Path | None) -> "Executor | None":
    """None for local, which is the runner's own."""
    if name not in ("local", "parsl"):
        raise Problem(f"no executor {name!r}; there are local, parsl")
    if name == "local":
        return None
    from spikebench.run.cluster import Cluster

    return Cluster(settings, accelerators.split(","), config)


def _companion(companion: sweeps.Companion, settings: "Settings", where: Path, quiet: bool) -> list[Record]:
    """Measure the pairs and the trainings that go with a sweep; the records are appended to `where`."""
    from spikebench.experiments.compare import compare as in_pairs
    from spikebench.run.session import Session

    records: list[Record] = []
    few = replace(settings, samples=min(10, settings.samples))  # processes tell more than samples, and cost time
    with Session(few) as session:
        with stderr_progress(companion.pairs) as progress:
            rows = list(
                in_pairs(
                    companion.subjects,
                    companion.case,
                    companion.pairs,
                    out=where,
                    session=session,
                    progress=lambda done, of: progress("pairs", companion.case, done, of),
                    keep=records,
                )
            )
        trained = train_all(session, list(companion.trainings), None, where)
    if not quiet:
        stdout().print()
        comparison_table(rows)
        stdout().print()
        training_report(trained)
    return records + trained


def _figures(records: list[Record], folder: Path) -> list[Path]:
    """The speed-up and scaling figures of these records, as far as they hold any."""
    from spikebench.plots import draw

    paths: list[Path] = []
    for kind in ("speedup", "scaling"):
        with suppress(Problem):
            paths += draw(kind, store.frame(r for r in records if r.case["workload"] == "layer"), folder, ("png",))
    return paths


def _cases(
    sweep: str | None,
    subject: list[str] | None,
    T: str | None,
    B: str | None,
    N: str | None,
    mode: str | None,
    **fixed: object,
) -> list[Case]:
    """The cases of a sweep, narrowed to the subjects and replaced sizes that were named; or of the options alone."""
    if sweep is None:
        if not subject:
            raise Problem("nothing to run; name a sweep (spikebench list sweeps) or give --subject lif@cpu")
        return o.points(subject, T, B, N, mode, **fixed)
    cases = sweeps.sweep(sweep)
    if subject:
        wanted = {str(parse_subject(s)) for s in subject}
        missing = wanted - {c.subject for c in cases}
        if missing:
            there = ", ".join(dict.fromkeys(c.subject for c in cases))
            raise Problem(f"sweep {sweep} has no {', '.join(sorted(missing))}; there are {there}")
        cases = [c for c in cases if c.subject in wanted]
    if (T, B, N, mode) != (None, None, None, None):
        subjects = list(dict.fromkeys(c.subject for c in cases))
        first = cases[0]
        return o.points(
            subjects, T or _all(cases, "T"), B or str(first.B), N or str(first.N), mode or first.mode, **fixed
        )
    return [Case.from_json({**c.to_json(), **fixed}) for c in cases]


def _all(cases: list[Case], axis: str) -> str:
    return ",".join(str(v) for v in dict.fromkeys(getattr(c, axis) for c in cases))


def compare(
    subjects: Annotated[list[str], typer.Argument(help="The first one is the baseline.")],
    pairs: o.Pairs = "5-20",
    T: o.T = None,
    B: o.B = None,
    N: o.N = None,
    mode: o.ModeOption = None,
    device: o.Device = "cpu",
    dtype: o.Dtype = "float32",
    rate: o.Rate = 0.3,
    workload: o.Workload = None,
    network: o.Network = None,
    metric: Annotated[str, typer.Option(help="Metric to compare; less is better.")] = "latency",
    samples: o.Samples = 20,
    timeout: o.Timeout = "300s",
    memory_limit: o.MemoryLimit = None,
    threads: o.Threads = None,
    isolation: o.Isolation = "fork",
    python: o.Python = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines file to append the records to.")] = None,
    as_json: o.Json = False,
) -> None:
    """Compare subjects with the first one, live, in randomised pairs of fresh processes."""
    if len(subjects) < 2:
        raise Problem(f"one subject is no comparison: {subjects[0]}; name a baseline first, then the others")
    what = o.what(workload, network)
    cases = o.points(subjects[:1], T, B, N, mode, device=device, dtype=dtype, rate=rate, **what)
    for text in subjects:
        parse_subject(text)
    more: dict[str, Any] = {"python": o.interpreters(python)}
    settings = o.settings([metric], samples, timeout, None, memory_limit, threads, isolation, **more)
    _report(_pairs([(subjects, case) for case in cases], pairs, settings, metric, out), as_json)


def aa(
    subject: Annotated[list[str] | None, typer.Option("--subject", help="Subject; repeat for several.")] = None,
    pairs: o.Pairs = "10",
    T: o.T = None,
    B: o.B = None,
    N: o.N = None,
    mode: o.ModeOption = None,
    device: o.Device = "cpu",
    dtype: o.Dtype = "float32",
    metric: Annotated[str, typer.Option(help="Metric to compare.")] = "latency",
    samples: o.Samples = 20,
    timeout: o.Timeout = "300s",
    threads: o.Threads = None,
    isolation: o.Isolation = "fork",
    out: Annotated[Path | None, typer.Option(help="Where the noise floor is kept.")] = None,
    as_json: o.Json = False,
) -> None:
    """A against A: this machine's noise floor per case, kept for compare and diff."""
    named = subject or ["lif@cpu", "lif@eager"]
    cases = o.points(named, T or "1000", B or "16", N or "128", mode, device=device, dtype=dtype)
    settings = o.settings([metric], samples, timeout, None, None, threads, isolation)
    jobs = [((case.subject, case.subject), case) for case in cases]
    _report(_pairs(jobs, pairs, settings, metric, out or _floor_file()), as_json)


def _floor_file() -> Path:
    return Path("results") / environment.machine() / "aa.jsonl"


def _pairs(
    jobs: "Sequence[tuple[Sequence[str], Case]]", pairs: str, settings: "Settings", metric: str, out: Path | None
) -> "list[Comparison]":
    """Live pairs of each job's subjects at its case, with one progress bar; verdicts as those of many cases."""
    from spikebench.analysis.comparison import together
    from spikebench.analysis.pairs import Pairs
    from spikebench.experiments.compare import compare as in_pairs
    from spikebench.run.session import Session

    rows: list[Comparison] = []
    plan, floors = Pairs.of(pairs), noise.recorded(_floor_file(), metric)
    with stderr_progress(len(jobs) * plan.last) as progress, Session(settings) as session:
        for k, (subjects, case) in enumerate(jobs):

            def tick(done: int, total: int, k: int = k, case: Case = case) -> None:
                progress("pairs", case, k * total + done, len(jobs) * total)

            found = in_pairs(subjects, case, plan, settings, out, metric, session, tick, floors=floors)
            rows += list(found)
    return together(rows)


def _report(rows: "list[Comparison]", as_json: bool) -> None:
    if as_json:
        stdout().print_json(json.dumps([r.to_json() for r in rows]))
    else:
        comparison_table(rows)
    bad = [r for r in rows if r.status != "ok"]
    for row in bad:
        print(f"spikebench: {row.subject} against {row.baseline}: {row.status}: {row.reason}", file=sys.stderr)
    if bad and all(r.status == "refused" for r in rows):
        raise Problem(f"nothing could be compared: {bad[0].reason}")


def diff(
    base: Annotated[str, typer.Argument(help="Results to compare with.")],
    new: Annotated[str, typer.Argument(help="Results to judge.")],
    metric: Annotated[str, typer.Option(help="Metric to compare; less is better.")] = "latency",
    fail_if_slower: Annotated[str | None, typer.Option(help="Exit 1 if a case is slower by more: 5%.")] = None,
    anyway: Annotated[bool, typer.Option(help="Compare although the machines differ.")] = False,
    as_json: o.Json = False,
) -> None:
    """Compare recorded runs case by case: the second against the first."""
    from spikebench.analysis import difference

    limit = o.percent("--fail-if-slower", fail_if_slower)
    floors = noise.recorded(_floor_file(), metric, apart=True)
    rows = difference.rows(store.load(base), store.load(new), metric, floors, anyway)
    if as_json:
        stdout().print_json(json.dumps(rows))
    else:
        difference_table(rows)
    slower = [r for r in rows if r["verdict"] == "slower" and limit is not None and r["ratio"] < 1 / (1 + limit)]
    if slower:
        print(
            f"spikebench: {len(slower)} of {len(rows)} cases are slower by more than {fail_if_slower}", file=sys.stderr
        )
        raise typer.Exit(1)
