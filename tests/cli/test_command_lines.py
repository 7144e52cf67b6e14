"""A fuzz of command lines, made of what the commands declare: nothing ends in a traceback or hangs, and nothing is nonsense in silence.

A line with a value outside its range is refused in one line that names it, before the engine is asked for anything. With
values inside their ranges alone, the engine is asked for exactly these.
"""

import contextlib
import io
import random
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_engine
import pytest
from fake_engine import Asked
from fuzzed import LEFT_OUT, Line, Maker, Parameter, parameters

from spikebench import cli
from spikebench.cases.case import Training
from spikebench.cases.subject import parse_subject
from spikebench.cli import _print, _values
from spikebench.cli import gpu as gpu_command
from spikebench.cli import tune as tune_command
from spikebench.cli.app import Commands
from spikebench.experiments.results import FOLDERS
from spikebench.host import environment
from spikebench.run.protocol import CheckJob, MeasureJob

LIMIT = 20.0  # seconds of one line
COMMANDS = [name for name in Commands() if name not in LEFT_OUT]
SIZES = {"T": ["-T", "9"], "B": ["-B", "2"], "N": ["-N", "3"]}
PAIRED = SIZES | {"pairs": ["--pairs", "2"]}
LINES = {  # a line of each command that works
    "run": {"subject": ["--subject", "lif@eager"], **SIZES, "metric": ["--metric", "latency"]},
    "compare": {"subjects": ["lif@eager", "psu"], **PAIRED},
    "aa": {"subject": ["--subject", "lif@eager"], **PAIRED},
    "check": {"subjects": ["lif"]},
    "cite": {"neurons": ["lif"]},
    "diff": {"base": ["r.jsonl"], "new": ["r.jsonl"]},
    "export": {"files": ["r.jsonl"]},
    "from-flashinfer": {"folder": ["traces"]},
    "from-nir": {"file": ["lif.nir"]},
    "to-nir": {"subject": ["lif"], "out": ["-o", "made.nir"]},
    "gpu": {},
    "merge": {"files": ["r.jsonl"], "out": ["-o", "joined.jsonl"]},
    "list": {},
    "plot": {"kind": ["scaling"], "files": ["r.jsonl"]},
    "profile": {"subject": ["lif@eager"], **PAIRED},
    "report": {"files": ["r.jsonl"]},
    "reproduce": {"claim": ["psn_speed"], "from_": ["--from", "r.jsonl"]},
    "schema": {},
    "show": {"files": ["r.jsonl"]},
    "site": {"files": ["r.jsonl"]},
    "submit": {"action": ["check"], "folder": ["there"]},
    "train": {"task": ["digits"], "neuron": ["--neuron", "lif"], "seeds": ["--seeds", "2"]},
    "tune": {},
}
MEASURES = ("run", "compare", "aa", "train", "check", "profile")
# not in lines that work: of others' modules, of several machines, a GPU, or of a task's own words
UNUSUAL = (
    "init",
    "layout",
    "adapter",
    "reset",
    "sweep",
    "workload",
    "parsl_config",
    "accelerators",
    "executor",
    "shard",
)
UNUSUAL += (
    "device",
    "kind",
    "like",
    "python",
    "capability",
    "kernels",
    "data_root",
    "equal_time",
    "markdown",
    "commit",
    "licence",
)


class Hung(BaseException):
    """A line took longer than LIMIT."""


@dataclass
class Ended:
    """How a line ended: its exit code, None for a traceback or a hang; what it printed; what the engine was asked."""

    code: int | None
    out: str
    err: str
    asked: Asked

    @property
    def said(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith(("spikebench: ", "Error: "))]


Call = Callable[[list[str]], Ended]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """`spikebench WORDS` in this process and a folder of its own, on an engine that measures nothing."""
    monkeypatch.chdir(tmp_path)
    taken = fake_engine.put(monkeypatch)
    monkeypatch.setattr(environment, "of", lambda python: environment.Interpreter("3.11", {}))
    monkeypatch.setattr(gpu_command, "visit_gpu", lambda asked: pytest.fail("a GPU session began"))
    monkeypatch.setattr(tune_command, "tune", lambda *_, **__: [])
    signal.signal(signal.SIGALRM, _hung)

    def called(words: list[str]) -> Ended:
        taken()
        _print.stdout.cache_clear()
        monkeypatch.setattr(sys, "argv", ["spikebench", *words])
        out, err, code = io.StringIO(), io.StringIO(), 0
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        except (Exception, Hung) as error:  # noqa: BLE001  # any is what is looked for
            code = None
            err.write(repr(error))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return Ended(code, out.getvalue(), err.getvalue(), taken())

    assert (
        called(["run", "--subject", "lif@eager", "-T", "9,64,128", "-B", "2", "-N", "3", "--out", "r.jsonl"]).code == 0
    )
    assert called(["to-nir", "lif", "-o", "lif.nir"]).code == 0
    return called


def _hung(*_: object) -> None:
    raise Hung


def line(command: str, changes: dict[str, list[str]]) -> list[str]:
    """The words of a command's own line with the words of some parameters in the place of its own."""
    given = LINES[command] | changes
    order = {p.name: k for k, p in enumerate(parameters(command))}
    return [command, *(word for name in sorted(given, key=order.__getitem__) for word in given[name])]


def typed(p: Parameter, texts: list[str]) -> list[str]:
    """The words that give a parameter some values."""
    return texts if p.positional else [word for text in texts for word in (p.words[0], text)]


def wrong_lines(maker: Maker) -> Iterator[Line]:
    """Each command with one value outside of what it declares, and with options that do not go together."""
    for command in COMMANDS:
        module, known = Commands().module(command), {p.name: p for p in parameters(command)}
        for p in known.values():
            for text in maker.outside(p) if p.kind else ():
                if not (p.positional and text.startswith("-")):
                    yield Line(line(command, {p.name: typed(p, [text])}), wrong=p.name, why=text)
            words = _some(maker, command, p)
            if words and not (p.positional and not p.several) and not (p.kind and p.kind.repeats):
                yield Line(line(command, {p.name: words * 2}), wrong=p.name, why="twice")
        for name, others in getattr(module, "NEVER_WITH", {}).items():
            for other in others:
                both = {k: words for k in (name, other) if (words := _some(maker, command, known[k]))}
                if len(both) == 2:
                    yield Line(line(command, both), wrong=other, why=f"with {name}")
        for name in getattr(module, "ONLY_WITH", {}):
            if words := _some(maker, command, known[name]):
                yield Line(line(command, {name: words}), wrong=name, why="alone")
        yield Line([*line(command, {}), "--nothing"], wrong="--nothing")


def _some(maker: Maker, command: str, p: Parameter) -> list[str] | None:
    """Words that give a parameter some value; None where none is known."""
    if p.kind is None:
        return [p.words[0]]
    found = maker.inside(command, p)
    return typed(p, found[0]) if found else None


def right_lines(maker: Maker, each: int) -> Iterator[Line]:
    """Commands with values of several options that are all inside their ranges, and go together."""
    for command in COMMANDS:
        if command in ("gpu", "tune", "from-nir", "from-flashinfer", "submit"):
            continue
        module, chosen = Commands().module(command), random.Random(command)
        for _ in range(each if command in MEASURES else max(1, each // 3)):
            known = [p for p in parameters(command) if p.name not in UNUSUAL]
            given, values = dict[str, list[str]](), dict[str, Any]()
            for p in chosen.sample(known, min(len(known), 6)):
                if p.kind is None or not _goes(command, module, p.name, {*given, *LINES[command]}):
                    continue
                found = maker.inside(command, p)
                if found is None or _clash(command, p.name, found[1], values):
                    continue
                given[p.name], values[p.name] = typed(p, found[0]), found[1]
            yield Line(line(command, given | ({"N": []} if "network" in given else {})), values)


def _goes(command: str, module: Any, name: str, others: set[str]) -> bool:
    """Whether an option may stand beside others."""
    never = getattr(module, "NEVER_WITH", {})
    clash = any(name in never.get(o, ()) or o in never.get(name, ()) for o in others)
    alone = name in LINES[command] and name in ("files", "base", "new", "from_", "file", "claim", "kind")
    return not (clash or alone or name in getattr(module, "ONLY_WITH", {}))


def _clash(command: str, name: str, value: Any, others: dict[str, Any]) -> bool:
    """Whether a command cannot have a value beside others: this is known of it, and not declared."""
    have = {**others, name: value}
    if (name == "budget" and value < 7) or (command, name) in (("diff", "metric"), ("plot", "subjects")):
        return True  # nothing is measured in so short a time, and no record has every metric or subject
    if (command, name) == ("compare", "subjects") and len(value) < 2:
        return True
    if (command, name) == ("to-nir", "subject") or value in ("parquet", *FOLDERS):
        return True  # NIR has few neurons, parquet needs another package, and a folder must be a new one
    stream = "stream" in have.get("mode", ())
    if "autocast" in have and (stream or have.get("dtype", "float32") != "float32"):
        return True
    return "network" in have and (stream or "N" in have)


def read_as(name: str, asked: Asked) -> Any:
    """What the engine was asked for, as the value of an option."""
    cases, settings = asked.cases, asked.settings[-1] if asked.settings else None
    jobs = [job for job, _ in asked.jobs]
    if name in ("T", "B", "N", "mode"):
        return sorted({getattr(c, name) for c in cases})
    if name in ("device", "dtype", "rate", "autocast"):
        return single({getattr(c, name) for c in cases})
    if name == "network":
        return single({str(getattr(c, "network", None)) for c in cases})
    if name in ("subject", "subjects", "neuron"):
        return {c.subject for c in cases} | {job.subject for job in jobs if isinstance(job, CheckJob)}
    if name in ("samples", "threads", "budget", "repeats", "memory_limit") and settings:
        return getattr(settings, name)
    if name == "timeout":
        return settings.timeout if settings else single({seconds for _, seconds in asked.jobs})
    if name == "isolation" and settings:
        return "fork" if settings.fork else "spawn"
    if name == "metric" and settings:
        return sorted(settings.metrics)
    if name == "seeds":
        return len({c.seed for c in cases})
    if name == "epochs":
        return single({c.changes.get("epochs") for c in cases if isinstance(c, Training)})
    if name == "pairs" and settings and settings.metrics == ("latency",):
        return set(Counter(job.case.case_id for job in jobs if isinstance(job, MeasureJob)).values())
    return None


def single(values: set[Any]) -> Any:
    """The one value; all of them where there are several."""
    return next(iter(values)) if len(values) == 1 else values


def differs(command: str, made: Line, ended: Ended) -> str | None:
    """What the engine was asked for instead of what the line says, if it was asked for anything else."""
    for name, value in made.values.items():
        if name in ("out", "folder"):
            if not Path(value).exists() and command not in ("reproduce",):
                return f"{name} {value} was not written"
            continue
        found = read_as(name, ended.asked) if command in MEASURES else None
        if found is None:
            continue
        if name in ("subject", "subjects", "neuron"):
            given = [value] if isinstance(value, str) else value
            want: Any = {str(parse_subject(s)) for s in given}
            if command == "profile":
                found &= want  # beside its baselines
        elif name == "pairs":
            first, _, last = str(value).partition("-")
            sides = 2 if command == "aa" else 1  # both are one case
            want = found if all(int(first) <= n / sides <= int(last or first) for n in found) else value
            if command == "profile":
                continue  # its budget decides, too
        elif name == "network":
            want = value
        else:
            want = sorted(value if isinstance(value, list) else [value]) if isinstance(found, list) else value
            if (command, name) == ("profile", "metric"):
                want = sorted({*want, "latency"})  # without which nothing is compared
        if found != want and not (name == "timeout" and found is None):
            return f"{name}: {found} instead of {want}"
    return None


def verdict(made: Line, ended: Ended) -> str | None:
    """What is wrong with how a line ended: a traceback, a hang, or silence; None if nothing is."""
    if ended.code is None:
        return "hang" if "Hung" in ended.err else f"traceback: {ended.err[-200:]}"
    if made.wrong is None:
        if ended.code:
            return f"silent: refused with {ended.code}: {ended.err[-300:]}"
        if why := differs(made.words[0], made, ended):
            return f"silent: {why}"
        return None
    if ended.code not in (1, 2) or len(ended.said) != 1:
        return f"silent: code {ended.code}, {ended.err[-300:]!r}"
    if ended.asked.jobs:
        return "silent: it was refused after the engine was asked"
    return None if _named(made, ended.said[0]) else f"silent: it does not say what: {ended.said[0]!r}"


def _named(made: Line, said: str) -> bool:
    """Whether a line of refusal names the option or what was given for it."""
    name = str(made.wrong)
    words = [name, name.strip("_").upper(), f"--{name.replace('_', '-')}", f"-{name}"]
    words += [w for p in parameters(made.words[0]) if p.name == name for w in p.words]
    given = [made.why, *re.findall(r"[\w=]{3,}", made.why), *re.findall(r"\w{3,}", made.why)]
    return any(w[:20] in said for w in [*words, *filter(None, given)])


def tried(call: Call, lines: list[Line]) -> list[tuple[list[str], str]]:
    """The lines that end badly, each with what is wrong."""
    return [(made.words, why) for made in lines if (why := verdict(made, call(made.words)))]


def told(lines: list[Line], bad: list[tuple[list[str], str]]) -> str:
    """Counts by kind, and the first of the bad ones."""
    counts = Counter(why.partition(":")[0] for _, why in bad)
    return "\n".join([f"{len(lines)} lines: {dict(counts)}", *(f"{' '.join(w)[:200]!r} {why}" for w, why in bad)])


@pytest.mark.long
def test_command_lines(call: Call, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    maker = Maker(tmp_path / "made", seed=0)
    wrong, right = list(wrong_lines(maker)), list(right_lines(maker, each=18))
    chosen = [*random.Random(1).sample(wrong, 300), *right]
    assert len(chosen) >= 400 and len(right) >= 110
    bad = tried(call, chosen)
    assert not bad, told(chosen, bad)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    maker = Maker(tmp_path / "made", seed=1)
    every = [*wrong_lines(maker), *right_lines(maker, each=40)]
    bad = tried(call, every)
    assert not bad, told(every, bad)


def test_every_command_that_records_can_say_that_the_machine_is_shared(call: Call) -> None:
    assert {c for c in COMMANDS if any(p.name == "shared" for p in parameters(c))} == {
        *("run", "compare", "aa", "profile", "train", "reproduce")
    }
    for words in (line("train", {}), ["reproduce", "exodus_gradient"]):
        assert [s.shared for s in call([*words, "--shared"]).asked.settings] == [True]


def test_the_fuzz_sees_a_check_that_is_missing(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    lines = [made for made in wrong_lines(Maker(tmp_path / "made", seed=0)) if made.words[0] == "diff"]
    lines = [made for made in lines if made.wrong == "fail_if_slower" and made.why in ("-1", "nan")]
    assert lines and not tried(call, lines)
    monkeypatch.setattr(_values.Number, "read", lambda self, option, text: type(self).made(text))
    assert [why.partition(":")[0] for _, why in tried(call, lines)] == ["silent"] * len(lines)
