"""The plan of a GPU session with a budget: what it measures, the most valuable first, and how long that is predicted to take."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from spikebench import claim as claims
from spikebench import registry
from spikebench.cases import sweeps
from spikebench.cases.case import Case, grid
from spikebench.claim import PlannedComparison

SIZES = ((1024, 32), (1024, 128), (4096, 32), (128, 32), (10000, 8))  # T and B of the six sizes that have N = 512
_narrow = partial(grid, T=[1000], B=[16], N=[128])  # the sixth
METRICS = ("latency", "bandwidth", "compile_time", "spike_rate")
LONGEST = 15.0  # seconds that a process may take to be planned at all, but for claims
COMMON = f"[{','.join(f'{k}={v}' for k, v in sweeps.COMMON.items())}]"  # the LIF that all libraries can be set to
FORMS = (  # what kernels do only when asked: gated in every precision
    "lif@triton[save=checkpoints]",
    "lif@triton[spikes=bits]",
    "lif@triton[spikes=bits,save=checkpoints]",
    "spike_sampler@triton[form=dot]",
)
OWN = ("lif", "exodus", "spsn", "psu")  # neurons measured at all six sizes


@dataclass(frozen=True)
class Block:
    """Cases measured one after the other, in random order, each in a fresh process. `fewest`: samples of a slow launch."""

    cases: tuple[Case, ...]
    metrics: tuple[str, ...] = METRICS
    fewest: int = 3


@dataclass(frozen=True)
class Stage:
    """Blocks that belong together. `share` is the largest part of what is left of the budget that they may take."""

    name: str
    blocks: tuple[Block, ...]
    share: float = 0.5

    @property
    def cases(self) -> list[Case]:
        """Every case once."""
        return list(dict.fromkeys(c for block in self.blocks for c in block.cases))


def gates(device: str, tiny: bool = False) -> list[Case]:
    """The cases whose gates the session runs: every neuron on every backend of a GPU, ours first, then in other precisions.

    On a CPU, where a session can be tried, they are those that a CPU has too.
    """
    small = partial(grid, T=[16 if tiny else 128], B=[4], N=[8 if tiny else 64], device=device)
    subjects = list(_subjects(["lif", "spsn"] if tiny else registry.names("neurons"), device))
    ours = [s for s in subjects if s.endswith("@triton")]
    found = small(ours)
    forms = [] if tiny else list(FORMS)
    for dtype in ("float64", "bfloat16"):
        found += small(ours + forms, dtype=dtype)
    found += small(forms)
    found += small(ours, mode=["inference"])
    rest = small([s for s in subjects if s not in ours])
    return found + [c for c in rest if first_call(c) < LONGEST]


def _subjects(neurons: Iterable[str], device: str) -> Iterator[str]:
    theirs = registry.libraries("lif")
    for neuron in neurons:
        for backend in registry.backends(neuron):
            devices = registry.declared(backend, neuron, "DEVICES", ("cpu", "cuda"))
            if {device, "cuda"} <= set(devices) and not registry.lacks(backend, neuron):
                yield f"{neuron}{COMMON if neuron == 'lif' and backend in theirs else ''}@{backend}"


def stages(device: str = "cuda", tiny: bool = False) -> list[Stage]:
    """What there is to time, most valuable first; `tiny`: the same in miniature, to see that it works."""
    if tiny:
        cases = grid(("lif@eager", "spsn@fft"), T=[16], B=[4], N=[8], device=device)
        return [Stage("claims", (Block(tuple(cases), ("latency",), 1),)), Stage("bounds", _alone(cases))]
    return [
        Stage("claims", tuple(published(device)), 0.55),
        Stage("bounds", (*_alone(bounds(device)), *_alone(products(device), (*METRICS, "product")))),
        Stage("libraries", _alone(libraries(device)), 0.6),
        Stage("energy", _alone(_named(device, B=128), ("energy",)), 0.8),
        Stage("memory", _alone(_named(device), ("peak_memory",))),
        Stage("rest", tuple(rest(device)), 1.0),
    ]


def launched(stages: Iterable[Stage], tiny: bool = False) -> list[Case]:
    """Every case of a session whose kernels can be compiled ahead; of a network the layer that its gate runs."""
    every = [*gates("cuda", tiny), *(c.gated for stage in stages for c in stage.cases)]
    return [c for c in dict.fromkeys(every) if c.parsed.backend == "triton"]


def _alone(cases: Iterable[Case], metrics: tuple[str, ...] = METRICS) -> tuple[Block, ...]:
    return tuple(Block((case,), metrics) for case in cases)


def published(device: str) -> Iterator[Block]:
    """The 4000x of SPSN at its 10,000 steps and its 10x on SHD, five pairs each.

    The loop that does not index, a step between the two ends, is in the first block only, and what torch.compile takes a
    minute for in none.
    """
    for question in _questions("spsn_4000x", "spsn_shd_10x"):
        for block in range(question.pairs):
            yield _block(question, device, slow=block == 0)


def _questions(*names: str) -> list[PlannedComparison]:
    found = [q for name in names for q in claims.load(name).full[:1]]
    return [q for q in found if isinstance(q, PlannedComparison) and q.case.workload != "training"]


def kin(device: str) -> Iterator[Block]:
    """The first question of every other claim, a block each."""
    done = _questions("spsn_4000x", "spsn_shd_10x")
    for question in _questions(*(name for name, _ in claims.every())):
        if question not in done:
            yield _block(question, device, slow=False)


def _block(question: PlannedComparison, device: str, slow: bool) -> Block:
    needed = {question.baseline, question.candidate, *(question.strong or ())}
    cases = [replace(c, device=device) for c in question.cases() if slow or c.subject in needed]
    metrics = (question.metric, "spike_rate") if question.metric == "latency" else (question.metric,)
    return Block(tuple(c for c in cases if first_call(c) < LONGEST), metrics, fewest=1)


def at_sizes(neurons: Sequence[str], device: str, backend: str = "triton") -> list[Case]:
    """Neurons at the six sizes: B·N from 2,048 to 65,536, T from 128 to 10,000; one neuron after the other."""
    found: list[Case] = []
    for neuron in neurons:
        subject = f"{neuron}@{backend}"
        found += [c for T, B in SIZES for c in grid([subject], T=[T], B=[B], N=[512], device=device)]
        found += _narrow([subject], device=device)
    return found


def bounds(device: str) -> list[Case]:
    """Fused kernels beside the copy: LIF at the six sizes and in fewer bytes, then the others."""
    return [*at_sizes(OWN[:1], device), *below(device), *at_sizes(OWN[1:], device), *others(device)]


def below(device: str) -> list[Case]:
    """LIF in fewer bytes an element than float32 with every membrane takes: checkpoints, bits, bfloat16, and all of them.

    Then layers that hand each other bits, beside the same layers with float32 spikes.
    """
    large = partial(grid, T=[1024], B=[128], N=[512], device=device)
    kept, sent, both = FORMS[:3]
    found = large([kept, both]) + large(["lif@triton", kept, both], dtype="bfloat16")
    deep = partial(large, workload="projection", network="projection[layers=4]")
    return found + deep(["lif@triton", sent])


def products(device: str) -> list[Case]:
    """SpikeSampler step by step and as products of matrices, both in IEEE's float32."""
    return grid(
        [f"spike_sampler@triton{form}" for form in ("", "[form=dot]")], T=[1024], B=[32], N=[512], device=device
    )


def others(device: str) -> list[Case]:
    """The other fused kernels at the usual layer."""
    fused = [s for s in _subjects(registry.names("neurons"), "cuda") if s.endswith("@triton")]
    left = [s for s in fused if s.partition("@")[0] not in (*OWN, "spike_sampler")]  # that one is among `products`
    return grid(left, T=[1024], B=[32], N=[512], device=device)


def libraries(device: str) -> list[Case]:
    """Other libraries on the GPU: fused ones at the six sizes, then every loop over time at the usual layer.

    The LIF of the loops is the one that all libraries can be set to.
    """
    fused = [f"lif@spikingjelly[provider={p}]" for p in ("cuda", "triton")] + ["exodus@sinabs_exodus"]
    fused = [s for s in fused if not registry.lacks(s.partition("@")[2].partition("[")[0], s.partition("@")[0])]
    found = [c for T, B in SIZES for c in grid(fused, T=[T], B=[B], N=[512], device=device)]
    found += _narrow(fused, device=device)
    loops = [b for b in registry.backends("lif") if "cuda" in registry.declared(b, "lif", "DEVICES", ("cuda",))]
    loops = [b for b in loops if first_call(Case(f"lif@{b}")) < LONGEST and not registry.lacks(b, "lif")]
    return found + grid([f"lif{COMMON}@{b}" for b in loops], T=[1024], B=[32], N=[512], device=device)


def _named(device: str, B: int = 32) -> list[Case]:
    return grid(("lif@triton", "lif@eager", "spsn@triton"), T=[1024], B=[B], N=[512], device=device)


def rest(device: str) -> Iterator[Block]:
    """What there is time for in the end: inference, further claims, energy again, fused kernels until there are five pairs, more M and T."""
    yield from _alone(grid([f"{n}@triton" for n in OWN], T=[1024], B=[32], N=[512], mode=["inference"], device=device))
    yield from kin(device)
    yield from _alone(_named(device, B=128) * 2, ("energy",))
    again = [c for c in [*at_sizes(["lif", "exodus"], device), *libraries(device)] if _loop(c) is None]
    for _ in range(4):
        yield from _alone(again, ("latency",))
    rivals = ("lif@triton", "spsn@triton", "lif@cudagraph", "lif@eager", "spsn@fft", "spsn@scan")
    wide = grid(rivals, T=[1024], B=[1, 8, 512], N=[512], device=device)
    found = wide + grid(rivals, T=[512, 16384], B=[32], N=[512], device=device)
    found += grid(["spike_sampler@triton[form=dot,precision=tf32]"], T=[1024], B=[32], N=[512], device=device)
    yield from _alone(c for c in found if process_seconds(c, METRICS) < LONGEST)


def first_call(case: Case) -> float:
    """Seconds that a first call takes for compiling, where the backend says that it is long."""
    subject = case.parsed
    return 0.0 if subject.foreign else registry.declared(subject.backend, subject.name, "FIRST_CALL", 0.0)


OPENED = 1.5  # seconds of a process that was started before: warm-up and 20 samples
ENERGY = 10.5  # seconds of an energy window


def _loop(case: Case) -> float | None:
    """Seconds of a training step by a loop over time, as its backend says; None for what is no loop."""
    subject = case.parsed
    if subject.foreign:
        return None
    if subject.backend == "eager" and not registry.facts(subject.name).stepped:
        return None
    step = registry.declared(subject.backend, subject.name, "SECONDS_A_STEP")
    layers = 3 if case.workload == "network" else 1
    return None if step is None else step * case.T * layers * (1.0 if case.mode == "train" else 0.4)


def process_seconds(case: Case, metrics: Sequence[str], fewest: int = 3) -> float:
    """Predicted seconds of a process: measured on an H100 for the usual layer, in proportion to T for loops."""
    if "energy" in metrics:
        return ENERGY + OPENED
    launch = _loop(case) or 0.0
    launches = 3 if fewest == 1 or launch > 1 else 8 if launch > 0.2 else 60
    return OPENED + first_call(case) + launch * launches


def gate_seconds(case: Case) -> float:
    """Predicted seconds of a gate in a process that stays: of the longest loops it took 24 s at T = 10,000."""
    stepped = registry.facts(case.parsed.name).stepped if not case.parsed.foreign else True
    definition = registry.declared("eager", "lif", "SECONDS_A_STEP") * case.T if stepped else 0.0
    return 0.8 + 2 * definition + 4 * (_loop(case) or 0.0)
