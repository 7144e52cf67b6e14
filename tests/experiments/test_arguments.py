"""A fuzz of the Python functions: whatever they are given, they answer, or raise Problem with one sentence."""

import inspect
import signal
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import fake_engine
import pytest
from fake_engine import Asked

import spikebench as sb
from spikebench.errors import Problem
from spikebench.experiments.sweep import Grid
from spikebench.run.settings import Settings

NAN, INF = float("nan"), float("inf")
WRONG: list[Any] = [None, "x", "", "\x9b31m", b"x", True, -1, 0, 1.5, NAN, INF, 10**30, [], ["x"], [None], {}, {"a": 1}]
WRONG += [object(), "y" * 5000, [1, 1], lambda: None, ()]
FREE = (*(f for f in fields(Grid)), *(f for f in fields(Settings)))  # what verbs take as **given


@dataclass(frozen=True)
class Call:
    """A call of a verb, and the argument that is under test."""

    verb: str
    args: tuple[Any, ...]
    given: dict[str, Any]
    name: str
    value: Any
    hint: Any

    @property
    def outside(self) -> bool:
        """Whether the value is not of the declared type, as far as that is plain."""
        return not fits(self.value, self.hint)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value may be meant by a type; the types of numbers are exact, all else that is not plain may be."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        low = 0 if "0" in inner[1] else 1
        return fits(value, inner[0]) and value >= low and (inner[1][0] == "[" or value > low)
    if (inner and origin is not Callable and type(None) in inner) or "Union" in str(origin):
        return any(fits(value, k) for k in inner)
    if hint is type(None):
        return value is None
    if hint is Path:
        return value is not None and isinstance(value, str | Path)
    if hint in (int, float, bool, str):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        plain = {bool: isinstance(value, bool), str: isinstance(value, str)}
        finite = number and value == value and abs(value) < 1e300
        return {int: finite and isinstance(value, int), float: finite, **plain}[hint]
    return True


USUAL: Mapping[str, tuple[Any, ...]] = {  # arguments with which a verb works
    "aa": ("lif@eager",),
    "check": ("lif",),
    "cite": ("lif",),
    "compare": ("lif@eager", "psu@eager"),
    "diff": ("<records>", "<records>"),
    "export": ("<records>",),
    "list": ("neurons",),
    "load": ("r.jsonl",),
    "neuron": ("lif@eager",),
    "plot": ("scaling", "<records>"),
    "profile": ("lif@eager",),
    "report": ("<records>",),
    "reproduce": ("psn_speed",),
    "run": ("<cases>",),
    "sweep": ("floor",),
    "table": ("<records>",),
    "train": ("digits", "lif@eager"),
    "tune": ("lif",),
    "Case": ("lif@eager",),
    "grid": (["lif@eager"],),
}
ALWAYS: Mapping[str, dict[str, Any]] = {
    **{verb: {"T": 9, "B": 2, "N": 3, "pairs": 2} for verb in ("aa", "compare")},
    "profile": {"T": 9, "B": 2, "N": 3, "pairs": 2, "why": False},
    "train": {"seeds": 1},
    "reproduce": {"source": "r.jsonl"},
}


def calls() -> Iterator[Call]:
    """Every verb with every argument of a wrong kind, one at a time."""
    for verb, args in USUAL.items():
        signature, always = inspect.signature(getattr(sb, verb)), ALWAYS.get(verb, {})
        for place, p in enumerate(signature.parameters.values()):
            for value in WRONG:
                if p.kind is p.VAR_KEYWORD or (callable(value) and "Callable" in str(p.annotation)):
                    continue  # what somebody's own function raises is theirs
                if p.kind is p.VAR_POSITIONAL or place < len(args):
                    changed = (*args[:place], value, *args[place + 1 :])
                    yield Call(verb, changed, always, p.name, value, p.annotation)
                else:
                    yield Call(verb, args, always | {p.name: value}, p.name, value, p.annotation)
        if verb in ("run", "compare", "train", "sweep"):
            names = {f.name for f in fields(Grid if verb == "sweep" else Settings)}
            for f in FREE if verb == "compare" else [f for f in FREE if f.name in names]:
                for value in WRONG:
                    hint = typing.get_type_hints(Settings, include_extras=True).get(f.name, Any)
                    yield Call(verb, args, always | {f.name: value}, f.name, value, hint)
        yield Call(verb, args, always | {"nothing": 1}, "nothing", 1, str)


Ask = Callable[[Call], str | None]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """What is wrong with how a call ends, if anything is: another exception than Problem, a hang, or silence."""
    monkeypatch.chdir(tmp_path)
    taken: Callable[[], Asked] = fake_engine.put(monkeypatch)
    cases = sb.grid(["lif@eager"], T=[9, 64], B=[2], N=[3])
    records = sb.run(cases, "r.jsonl")
    stand_ins: Mapping[Any, Any] = {"<records>": records, "<cases>": cases}

    def hung(*_: object) -> None:
        raise TimeoutError("hang")

    signal.signal(signal.SIGALRM, hung)

    def asked(call: Call) -> str | None:
        args = [stand_ins.get(a, a) if isinstance(a, str) else a for a in call.args]
        taken()
        signal.setitimer(signal.ITIMER_REAL, 20.0)
        try:
            getattr(sb, call.verb)(*args, **call.given)
        except Problem as problem:
            text = str(problem)
            return None if text and "\n" not in text and len(text) < 2000 else f"silent: {text[:200]!r}"
        except Exception as error:  # noqa: BLE001  # any is what is looked for
            return f"traceback: {error!r}"[:300]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return f"silent: {call.name}={call.value!r}"[:200] if call.outside else None

    return asked


def told(bad: list[tuple[Call, str]]) -> str:
    return "\n".join(f"sb.{c.verb} {c.name}={str(c.value)[:60]!r}: {why[:120]}" for c, why in bad)


EVERY = list(calls())


def test_calls(ask: Ask) -> None:
    chosen = EVERY[::19]
    assert len(chosen) >= 120
    bad = [(c, why) for c in chosen if (why := ask(c))]
    assert not bad, f"{len(bad)} of {len(chosen)}\n{told(bad)}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_call(ask: Ask) -> None:
    bad = [(c, why) for c in EVERY if (why := ask(c))]
    assert not bad, f"{len(bad)} of {len(EVERY)}\n{told(bad)}"


def test_what_is_inside_reaches_the_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    taken = fake_engine.put(monkeypatch)
    sb.compare("lif@eager", "psu@eager", pairs=3, T=[9, 5], B=2, N=3, samples=4, timeout=7.5, threads=1)
    found = taken()
    assert {(c.subject, c.T, c.B, c.N) for c in found.cases} == {
        (s, t, 2, 3) for s in ("lif@eager", "psu@eager") for t in (5, 9)
    }
    assert (found.settings[-1].samples, found.settings[-1].timeout, found.settings[-1].threads) == (4, 7.5, 1)
