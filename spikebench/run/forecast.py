"""Forecasts how long a run takes: from what its neurons and backends declare before it starts, and from its own cases after.

The constants are those of a core of 2020 and of the loops of PyTorch on it. They need not be right, because what a run has
measured corrects what is left of it; they say whether a run takes a minute or an hour.
"""

import math
from collections.abc import Iterable

from spikebench import registry
from spikebench.analysis.cost import per_step
from spikebench.cases.case import Case, NetworkStep, Training
from spikebench.run import wanted
from spikebench.run.executor import Repeat
from spikebench.run.settings import Settings

START = 3.0  # seconds until the first process works
PROCESS, PROCESS_GPU = 0.6, 8.0  # seconds of a process beside its launches; on a GPU none is forked
TRAINING = 30.0  # seconds of a training, of whose data nothing is known here
STEP, ELEMENT = 1.3e-4, 1e-8  # a loop's seconds of a step of lif, and of one neuron in it, training
COMPILED_STEP, COMPILED_ELEMENT = 1e-5, 3.5e-9  # the same of a compiled loop
FIRST_CALL = 8.0  # seconds that a CPU compiles where a backend says that its first call is long
INDEXED = 3.5e-10  # seconds of a neuron and pair of steps, in the backward pass of x[t]
VECTOR, FUSED = 5e-9, 1.5e-10  # seconds of an operation on one number: in whole tensors, and in a fused kernel
PRODUCT = 1.5e-11  # seconds of an operation of a matrix product
MOST, FEW = 60, 10  # an equation with more operations a step is a matrix product, and so many others
SHORT = 0.4  # a pass without gradients over a training step


class Forecast:
    """How long the cases of a run take, in seconds: all of them, and what is left.

    A case's gate is counted once. What is done corrects the rest: its subject's cases by theirs, the others by all.
    """

    def __init__(self, jobs: Iterable[Repeat], settings: Settings) -> None:
        self._left: dict[tuple[str, int], tuple[str, float]] = {}
        self._known: dict[str, list[float]] = {}
        gated = set[str]()
        for case, repeat in jobs:
            first = case.gated.case_id not in gated
            gated.add(case.gated.case_id)
            self._left[case.case_id, repeat] = case.subject, seconds(case, settings, first)
        self._start = START if self._left else 0.0
        self._budget = settings.budget
        self.beside = 0.0  # seconds of what is measured after the cases

    def __len__(self) -> int:
        return len(self._left)

    @property
    def left(self) -> float:
        """Seconds that what is left takes, at most the budget."""
        found = self._start + sum(predicted * self._factor(subject) for subject, predicted in self._left.values())
        return min(found, self._budget if self._budget is not None else math.inf)

    def left_after(self, elapsed: float) -> float:
        """Seconds that are left when the case that is measured now began so long ago. One that takes longer has none left."""
        subject, predicted = next(iter(self._left.values()), ("", 0.0))
        return self.left - min(elapsed, self._start + predicted * self._factor(subject))

    def done(self, case: Case, took: float) -> None:
        """One process of a case is done, and took so many seconds."""
        key = next((k for k in self._left if k[0] == case.case_id), None)
        if key is not None:
            subject, predicted = self._left.pop(key)
            took -= self._start
            self._start = 0.0
            self._known.setdefault(subject, []).append(max(took, 0.0) / predicted)

    def _factor(self, subject: str) -> float:
        """By how much the cases of a subject are longer than predicted: the mean of its own, or of all."""
        found = self._known.get(subject) or [f for each in self._known.values() for f in each]
        return sum(found) / len(found) if found else 1.0


def seconds(case: Case, settings: Settings, first: bool = True) -> float:
    """Predicted seconds of a case in all its processes, the `first` time with its gate."""
    if isinstance(case, Training):
        return TRAINING
    own, once = PROCESS_GPU if case.device == "cuda" else PROCESS, launch(case)
    compiling = first_call(case)
    found = (own + compiling + 5 * once + 1.5 * (_loop(case, "eager") or 0.0)) if first else 0.0
    for process, names in wanted.processes(settings.metrics, case):
        many, slow = wanted.count(names, settings), once > settings.slow
        samples = min(settings.fewest, settings.samples) if slow else settings.samples
        warm = min(settings.warmup, 6 * once) if slow else max(0.2, 8 * once)
        timing = process == "timing"
        found += many * (own + compiling + (len(names) * 0.2 + warm + (samples + 2) * once if timing else 4 * once))
    return found


def first_call(case: Case) -> float:
    """Seconds that a first call takes to compile, where the backend says that it is long."""
    s = case.parsed
    said = 0.0 if s.foreign else registry.declared(s.backend, s.name, "FIRST_CALL", 0.0)
    return min(said, FIRST_CALL) if case.device == "cpu" else said


def launch(case: Case) -> float:
    """Predicted seconds of one launch."""
    s, elements = case.parsed, case.T * case.B * case.gated.N
    layers = case.named.depth if isinstance(case, NetworkStep) else 1
    short = 1.0 if case.mode == "train" else SHORT
    if (loop := _loop(case)) is not None:
        return layers * short * loop
    each = VECTOR if s.foreign or s.backend not in ("cpu", "triton") else FUSED
    work, products = _operations(case)
    on_gpu = 0.02 if case.device == "cuda" else 1.0
    return layers * short * on_gpu * elements * (work * each + products * PRODUCT) + 1e-3


def _loop(case: Case, backend: str | None = None) -> float | None:
    """Seconds of a training step in a loop over time, as the case's backend has it or another one; None for what is no loop."""
    s, many = case.parsed, case.B * case.N
    how = backend or s.backend
    if s.foreign:
        return case.T * (2 * STEP + many * ELEMENT)
    if how == "eager" and not registry.facts(s.name).stepped:
        return None
    usual = registry.declared("eager", "lif", "SECONDS_A_STEP")
    step = usual if backend else registry.declared(how, s.name, "SECONDS_A_STEP")
    if step is None:
        return None
    own, products = _operations(case)
    work = own / _of("lif", {})[0]
    if case.device == "cuda":
        return case.T * step * work
    if first_call(case) and not backend:
        return case.T * work * (COMPILED_STEP + many * COMPILED_ELEMENT)
    pairs = INDEXED * case.T**2 * many if how == "indexed" and case.mode == "train" else 0.0
    return case.T * (work * (STEP * step / usual + many * ELEMENT) + many * products * PRODUCT) + pairs


def _operations(case: Case) -> tuple[float, float]:
    """The operations that the neuron's equation needs in a step, and those of products; of a foreign neuron as many as of lif."""
    s = case.parsed
    if s.foreign:
        return _of("lif", {})
    return _of(s.name, {**s.all_options, "T": case.T, "N": case.N})


def _of(name: str, sizes: dict[str, object]) -> tuple[float, float]:
    facts = registry.facts(name)
    usual = {k: o.default for k, o in facts.options.items()}
    every = max(1.0, sum(per_step(facts.attributes.operations, usual | sizes).values()))
    return (every, 0.0) if every <= MOST else (FEW, every - FEW)
