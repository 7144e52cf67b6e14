"""Reads a trace set of FlashInfer-Bench: records where a definition is a neuron of ours, and solutions of others as files.

What another program has timed is a record with one sample and the flag `ungated`: no gate of ours has seen it.
"""

import ast
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.records.files import folder, regular
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement, Record, Status
from spikebench.records.schema import EnvironmentJson
from spikebench.report.cite import plain
from spikebench.report.flashinfer.schema import Definition, Evaluation, Kind, Solution, Trace, from_json
from spikebench.report.flashinfer.write import OPERATION, OURS, SETTING, tagged

LARGEST = 256 * 2**20  # bytes of a file
NUMBERS = {"rate": float, "bias": float, "seed": int}
STATUS: Mapping[str, Status] = {
    "PASSED": "ok",
    "TIMEOUT": "timeout",
    "RUNTIME_ERROR": "failed",
    "COMPILE_ERROR": "failed",
}
CLASS = '''


class Solution(__import__("torch").nn.Module):
    """The function `{symbol}` above, as a module."""

    def forward(self, x):
        return {symbol}(x)
'''


@dataclass
class TraceSet:
    """What was read. `files` are solutions of others, by the name of the file; `notes` say what was left out and why."""

    records: list[Record] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(where: Path, files: Path) -> TraceSet:
    """A trace set in a folder. `files` is the folder that the files of solutions will lie in, which their subjects name.

    Problem where no definition there is a neuron of ours.
    """
    found = TraceSet()
    definitions = {d.name: d for d in _each(folder(where, "the trace set"), "definitions", Definition, found.notes)}
    mine = {name: d for name, d in definitions.items() if _neuron(d)}
    found.notes += [f"{name}: no spiking neuron of ours" for name in definitions if name not in mine]
    if not mine:
        raise Problem(
            f"no definition in {where} is a neuron of ours; `spikebench export --to flashinfer-bench` writes some"
        )
    subjects = {
        s.name: (s, t)
        for s in _each(where, "solutions", Solution, found.notes)
        if (t := _subject(s, mine, files, found))
    }
    seen = Counter[str]()
    for t in _each(where, "traces", Trace, found.notes):
        if t.definition in mine and t.solution in subjects and t.evaluation is not None:
            _record(mine[t.definition], t, *subjects[t.solution], seen, found)
    return found


def _each(where: Path, part: str, kind: type[Kind], notes: list[str]) -> Iterator[Kind]:
    """Everything of a kind in a part of the set, from files of one JSON object or of one a line."""
    for path in sorted((where / part).rglob("*.json*")):
        whole = path.suffix == ".json"
        text = regular(path, LARGEST).read_text("utf-8", errors="replace")
        for number, line in enumerate([text] if whole else text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                yield from_json(json.loads(line), kind)
            except (ValueError, RecursionError) as error:
                notes.append(f"{path}{'' if whole else f', line {number}'}: {error}")


def _neuron(d: Definition) -> str | None:
    return dict(tagged(d.tags or ())).get("neuron") if d.op_type == OPERATION else None


def _subject(s: Solution, mine: Mapping[str, Definition], files: Path, found: TraceSet) -> str | None:
    """The subject of a solution: the one that its file asks spikebench for, or a module made of somebody's function."""
    if s.definition not in mine:
        return None
    path, _, symbol = s.spec.entry_point.partition("::")
    text = next((f.content for f in s.sources if f.path == path), None)
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError) as error:
        found.notes.append(f"{s.name}: {path} is not Python: {error}")
        return None
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "SUBJECT"
            and isinstance(node.value, ast.Constant)
        ):
            return str(node.value.value)
    why = _foreign(s, dict(tagged(mine[s.definition].tags or ())).get("mode"), symbol)
    if why or text is None:
        found.notes.append(f"{s.name}: {why or f'{path} is not among its sources'}")
        return None
    name = f"{plain(s.name).replace('-', '_')}.py"
    found.files[name] = text + CLASS.format(symbol=symbol)
    return f"{files / name}:Solution"


def _foreign(s: Solution, mode: str | None, symbol: str) -> str | None:
    """Why a solution of somebody else cannot be a subject, None if it can."""
    if s.spec.language not in ("python", "triton") or len(s.sources) > 1:
        return f"a solution in {s.spec.language} of {len(s.sources)} files; one file in Python or Triton is read"
    if s.spec.destination_passing_style:
        return "it writes into its arguments; one that returns its outputs is read"
    if mode == "train" or not symbol.isidentifier():
        return "of a training step it gives the gradient beside the spikes; a module of inference or forward is read"
    return None


def _case(d: Definition, t: Trace, s: Solution, subject: str) -> Case | Problem:
    told = {k: v for k, v in tagged(d.tags or ()) if k in SETTING}
    given: dict[str, Any] = {k: NUMBERS.get(k, str)(v) for k, v in told.items()}
    try:
        sizes = {k: t.workload.axes.get(k) for k in "TBN"}
        return Case(subject, **sizes, dtype=d.inputs["x"].dtype, device=s.spec.target_hardware[0], **given)
    except (Problem, KeyError, ValueError, TypeError) as error:
        return Problem(f"{s.name} at {t.workload.uuid}: {error}")


def _record(d: Definition, t: Trace, s: Solution, subject: str, seen: Counter[str], found: TraceSet) -> None:
    """The record of a trace: the one that stands in it, else what its numbers say."""
    said = t.evaluation
    assert said is not None
    whole = (said.correctness.extra or {}).get(OURS) if said.correctness else None
    if isinstance(whole, Mapping):
        try:
            found.records.append(Record.from_json(whole))
        except ValueError as error:
            found.notes.append(f"{t.workload.uuid}: {error}")
        return
    case = _case(d, t, s, subject)
    if isinstance(case, Problem):
        found.notes.append(str(case))
        return
    found.records.append(_told(case, said, seen[case.case_id]))
    seen[case.case_id] += 1


def _told(case: Case, said: Evaluation, repeat: int) -> Record:
    word, colon, reason = said.log.partition(": ")
    own = word if colon and word in get_args(Status) else None
    status: Any = own or STATUS.get(said.status, "wrong")
    times = [Measurement("latency", "s", samples=[said.performance.latency_ms / 1e3])] if said.performance else []
    libs = {k: v for k, v in said.environment.libs.items() if k not in ("python", "commit")}
    e = EnvironmentJson(machine=said.environment.hardware, versions=libs)
    for key in ("python", "commit"):
        if key in said.environment.libs:
            e[key] = said.environment.libs[key]
    try:
        e["time"] = datetime.fromisoformat(said.timestamp).timestamp()
    except (ValueError, OverflowError):
        pass  # theirs is any text
    why = None if status == "ok" else (reason if own else said.log) or said.status
    return Record(
        "flashinfer-bench", case.case_id, case.to_json(), status, why, times, e, [Flag.UNGATED], repeat=repeat
    )
