"""Writes records as a trace set of FlashInfer-Bench: one trace for each process, one solution for each subject.

A definition of theirs is a neuron with its options in one mode, precision and spike rate; T, B and N are its variable axes.
The reference is our definition, on eager. The whole record stands in `correctness.extra`, from which `read` gives it back.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from spikebench.analysis.paired import point
from spikebench.analysis.select import middle
from spikebench.cases.case import Case, Layer
from spikebench.cases.subject import Subject, shown
from spikebench.records.origin import Origin, origin
from spikebench.records.record import Record
from spikebench.records.schema import EnvironmentJson
from spikebench.report.cite import plain
from spikebench.report.flashinfer.schema import (
    Axis,
    Build,
    Correctness,
    Definition,
    Environment,
    Evaluation,
    Input,
    Performance,
    Solution,
    Source,
    Status,
    Tensor,
    Trace,
    Workload,
    to_json,
)

OPERATION = "spiking_neuron"
DTYPES = ("float32", "float16", "bfloat16")  # of ours that theirs has
MODES = ("inference", "forward", "train")
OURS = "spikebench"  # the key of a whole record in `correctness.extra`
SETTING = ("mode", "rate", "bias", "seed", "allocator", "autocast")  # of a case, beside neuron, precision and sizes
STATUS: dict[str, Status] = {"ok": "PASSED", "wrong": "INCORRECT_NUMERICAL", "timeout": "TIMEOUT"}
STATUS |= dict.fromkeys(("failed", "oom", "lost", "impossible"), "RUNTIME_ERROR")
Block = tuple[str, int, Origin, tuple[object, ...]]

HEAD = '''"""{what}"""

from functools import cache

import torch

import spikebench as sb

SUBJECT = {subject!r}


@cache
def neuron(N, T, dtype, device):
    return sb.neuron(SUBJECT, N=N, T=T, dtype=dtype, device=device)


'''
RUN = '''def run(x):
    """Spikes [T, B, N] of a current [T, B, N]."""
    with torch.no_grad():
        return neuron(x.shape[2], x.shape[0], x.dtype, x.device.type)(x)
'''
TRAIN = '''def run(x, spikes_grad):
    """Spikes [T, B, N] of a current [T, B, N], and the gradient of the current for one of the spikes."""
    x = x.detach().requires_grad_()
    spikes = neuron(x.shape[2], x.shape[0], x.dtype, x.device.type)(x)
    (x_grad,) = torch.autograd.grad(spikes, x, spikes_grad)
    return spikes.detach(), x_grad
'''


def fits(record: Record) -> bool:
    """Whether a trace can say what the record does: a layer of a neuron of ours, timed or failed, in a precision of theirs."""
    case = record.case
    plain_layer = case["workload"] == "layer" and case["mode"] in MODES and case["dtype"] in DTYPES
    known = record.status in STATUS and (record.status != "ok" or middle(record) > 0)
    return plain_layer and known and ":" not in case["neuron"]


def write(records: Sequence[Record], folder: Path) -> int:
    """Write a trace set into a folder; how many traces it has, which is 0 where no record fits."""
    mine = [r for r in records if fits(r)]
    cases, times = {r.case_id: Case.from_json(r.case) for r in mine}, references(mine)
    definitions: dict[str, Definition] = {}
    solutions: dict[str, Solution] = {}
    workloads: dict[str, dict[str, Trace]] = defaultdict(dict)
    traces: dict[str, list[Trace]] = defaultdict(list)
    for r in mine:
        case = cases[r.case_id]
        of, by, work = definition(case), solution(case), workload(case)
        definitions[of.name], solutions[by.name] = of, by
        workloads[of.name][work.uuid] = Trace(of.name, work)
        traces[of.name].append(Trace(of.name, work, by.name, evaluation(r, times.get(block(r)))))
    for d in definitions.values():
        _save(folder / "definitions" / OPERATION / f"{d.name}.json", json.dumps(to_json(d), indent=1) + "\n")
        _save(folder / "workloads" / OPERATION / f"{d.name}.jsonl", _lines(workloads[d.name].values()))
        _save(folder / "traces" / OPERATION / f"{d.name}.jsonl", _lines(traces[d.name]))
    for s in solutions.values():
        where = folder / "solutions" / s.author / OPERATION / s.definition
        _save(where / f"{s.name}.json", json.dumps(to_json(s), indent=1) + "\n")
    return len(mine)


def _lines(found: Iterable[Trace]) -> str:
    return "".join(json.dumps(to_json(t), allow_nan=False) + "\n" for t in found)


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def definition(case: Case) -> Definition:
    """What a case computes, at any T, B and N."""
    neuron, train = _neuron(case.parsed), case.mode == "train"
    tags = [f"neuron:{neuron}", *(f"{k}:{v}" for k, v in _setting(case).items())]
    name = f"{plain(case.parsed.name)}_{case.mode}_{case.dtype}_{_digest([*tags, case.dtype])}"
    tensor = Tensor(case.dtype, ["T", "B", "N"])
    inputs, outputs = {"x": tensor}, {"spikes": tensor}
    if train:
        inputs["spikes_grad"], outputs["x_grad"] = tensor, tensor
    about = f"{neuron} in mode {case.mode}: T time steps of B sequences of N neurons. Our input aims at an output rate; `random` stands for it."
    reference = HEAD.format(what=f"The definition of {neuron}.", subject=f"{neuron}@eager") + (TRAIN if train else RUN)
    axes = {"T": "time steps", "B": "sequences", "N": "neurons"}
    made = {k: Axis("var", description=v) for k, v in axes.items()}
    return Definition(name, OPERATION, made, inputs, outputs, reference, tags, about)


def solution(case: Case) -> Solution:
    """A subject as a solution: a file that asks spikebench for it. The definition itself has the author `baseline`."""
    of, subject = definition(case).name, str(case.parsed)
    text = HEAD.format(what=f"{shown(subject)} of spikebench.", subject=subject) + (
        TRAIN if case.mode == "train" else RUN
    )
    build = Build("python", [case.device], "main.py::run", [OURS], destination_passing_style=False)
    author = "baseline" if _is_reference(case.parsed) else OURS
    name = f"{plain(shown(subject))}_{case.device}_{of}"
    return Solution(name, of, author, build, [Source("main.py", text)], f"{shown(subject)} on {case.device}")


def workload(case: Case) -> Workload:
    """The sizes of a case."""
    of, sizes = definition(case), {k: getattr(case, k) for k in "TBN"}
    return Workload(sizes, {k: Input("random") for k in of.inputs}, f"{of.name}-{_digest([sizes, case.device])}")


def evaluation(record: Record, reference: float | None) -> Evaluation:
    """What a record says; `reference` is the median time of the definition in the same block."""
    status = STATUS[record.status]
    e = record.environment
    card = e.get("gpu") if record.case["device"] == "cuda" else None
    where = Environment(str((card or {}).get("name") if isinstance(card, dict) else card or e.get("machine")), _libs(e))
    seconds = e.get("time")
    time = datetime.fromtimestamp(seconds, UTC).isoformat() if isinstance(seconds, int | float) else "unknown"
    compared = status in ("PASSED", "INCORRECT_NUMERICAL")
    log = "" if status == "PASSED" else f"{record.status}: {record.reason or ''}"
    correct = Correctness(*_errors(record), {OURS: record.to_json()}) if compared else None  # pyright: ignore[reportArgumentType]  # JSON
    return Evaluation(
        status, where, time, log, correct, _performance(record, reference) if status == "PASSED" else None
    )


def _performance(record: Record, reference: float | None) -> Performance:
    mine = middle(record)
    return Performance(mine * 1e3, (reference or 0.0) * 1e3, (reference or 0.0) / mine)


def _errors(record: Record) -> tuple[float | str, float | str]:
    """The largest relative error of a gradient, and that of a spike: 1 where one differs, which rounding may explain."""
    if record.gate is None or not record.gate.probes:
        return "NaN", "NaN"
    found = [e for p in record.gate.probes for e in (p.gradient_error, p.parameter_error) if e is not None]
    return max(found, default=0.0), float(any(p.differing or not p.passed for p in record.gate.probes))


def _libs(e: EnvironmentJson) -> dict[str, str]:
    return {**(e.get("versions") or {}), **{k: str(v) for k in ("python", "commit") if (v := e.get(k))}}


def references(records: Iterable[Record]) -> dict[Block, float]:
    """The median time of the definition in every block that has it."""
    found = (r for r in records if r.status == "ok" and middle(r) > 0)
    return {block(r): middle(r) for r in found if _is_reference(Case.from_json(r.case).parsed)}


def block(r: Record) -> Block:
    """The run, the block and the origin that a record is of, the neuron and the point: what a time and its reference have in common."""
    return r.run, r.repeat, origin(r), (*point(r), r.case["neuron"], str(sorted(r.case["options"].items())))


def _neuron(subject: Subject) -> str:
    return str(Subject(subject.name, subject.options)).removesuffix("@eager")


def _is_reference(subject: Subject) -> bool:
    return subject.backend == "eager" and not subject.how


def _setting(case: Case) -> dict[str, object]:
    assert isinstance(case, Layer)
    return {k: v for k in SETTING if (v := getattr(case, k)) is not None}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def tagged(tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and value of every tag that has both."""
    return ((name, value) for name, colon, value in (t.partition(":") for t in tags) if colon)
