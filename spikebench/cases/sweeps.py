"""Sweeps: named lists of cases, as `spikebench run NAME` measures them."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from spikebench import registry
from spikebench.cases.case import Case, grid
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.registry import canonical

LIF = ("lif@eager", "lif@indexed", "lif@compiled", "lif@cpu")
SPSN = ("spsn@eager", "spsn@fft", "spsn@scan", "spsn@cpu")
ELEMENTS = 2**20  # of the sweep of that name: 4 MiB of float32, of which a training step moves six times as much
COMMON = {"reset": "hard", "detach_reset": "true", "surrogate": "fast_sigmoid", "slope": "1.0"}
THE_LIF = f"lif[{','.join(f'{k}={v}' for k, v in COMMON.items())}]"  # of the sweep `libraries`


def smoke() -> list[Case]:
    """Every neuron on every backend of a CPU once, at tiny sizes, to see that each can be measured at all."""
    everything = [
        f"{neuron}@{backend}"
        for neuron in registry.names("neurons")
        for backend in registry.backends(neuron)
        if registry.runs_on(backend, "cpu", neuron)
    ]
    return grid(everything, T=[64], B=[2], N=[64])


def field() -> tuple[str, ...]:
    """The named subjects of LIF and SPSN, and every other neuron on our fused kernels or else as its definition."""
    others = [n for n in registry.names("neurons") if n not in ("lif", "spsn")]
    return (*LIF, *SPSN, *(f"{n}@{'cpu' if 'cpu' in registry.backends(n) else 'eager'}" for n in others))


def quick() -> list[Case]:
    """LIF and SPSN at T = 100, 1000 and 10,000, B = 4, N = 128, training; about two minutes on two cores.

    Without lif@compiled, each of whose processes compiles for ten seconds (sweeps `length` and `growth` have it); the slower
    forms of SPSN stop at T = 1000.
    """
    subjects = [s for s in (*LIF, *SPSN) if "@compiled" not in s]
    found = _bounded(subjects, T=[100, 1000, 10000], B=[4], N=[128])
    return [c for c in found if c.T <= 1000 or c.subject not in ("spsn@eager", "spsn@scan")]


def length() -> list[Case]:
    """How time and memory of every neuron grow with T, at B = 4, N = 512, training and inference; most of an hour on two cores."""
    lengths = [128, 256, 512, 1024, 2048, 4096, 10000]
    return _bounded(field(), T=lengths, B=[4], N=[512], mode=["train", "inference"])


def growth() -> list[Case]:
    """The fit t = a·T + b·T² for the backends of LIF, T from 500 to 10,000, training.

    B = 16, N = 512: there no length fits the caches, whose limits would look like scaling with T. The indexed loop, whose
    backward pass moves T²·B·N numbers, is measured at B = 4, N = 128, and the eager loop there too.
    """
    lengths = [500, 1000, 2000, 5000, 10000]
    linear = grid(["lif@eager", "lif@compiled", "lif@cpu"], T=lengths, B=[16], N=[512])
    return linear + grid(["lif@eager", "lif@indexed"], T=lengths, B=[4], N=[128])


def floor() -> list[Case]:
    """Our fused kernels of neurons with a recurrence against the bandwidth bound, at two large sizes, training; `show --floor`."""
    fused = ("lif@cpu", "lif@cpu[plan=recompute]", "spsn@cpu", "psu@cpu", "exodus@cpu", "slayer@cpu")
    return grid(fused, T=[1000], B=[32], N=[512]) + grid(fused, T=[10000], B=[4], N=[512])


def batch() -> list[Case]:
    """How time of every neuron grows with the batch, at T = 1000, N = 512, training."""
    return _bounded(field(), T=[1000], B=[1, 4, 16, 64], N=[512])


def width() -> list[Case]:
    """How time of every neuron grows with the number of neurons, at T = 1000, B = 16, training."""
    return _bounded(field(), T=[1000], B=[16], N=[32, 128, 512, 2048])


def bottleneck() -> list[Case]:
    """Whether the neuron is the bottleneck: LIF as a loop and fused, and SPSN fused, behind a linear layer, over the width.

    B = 16, training and the forward pass of a training step: N from 64 to 4096 at T = 100, to 1024 at T = 1000. Read by
    the metric `neuron_share`, and drawn by `plot bottleneck`; `show --bottleneck` is the table.
    """
    behind = partial(
        grid, ("lif@eager", "lif@cpu", "spsn@cpu"), B=[16], mode=["train", "forward"], workload="projection"
    )
    return behind(T=[100], N=[64, 256, 1024, 4096]) + behind(T=[1000], N=[64, 256, 1024])


DEEP = ("lif@cpu", "psn@cpu", "spsn@cpu")


def depth() -> list[Case]:
    """What depth costs: LIF, PSN and SPSN in residual blocks of two Linear layers, SEW, MS and without a shortcut; training.

    2 to 32 layers of 128 neurons, T = 100, B = 16. Read by the metrics `latency`, `peak_memory` and `gradient_norms`, and drawn
    by `plot depth`; `show --depth` is the table.
    """
    return _blocks("stack", DEEP, T=[100], B=[16])


def depth_of_images() -> list[Case]:
    """The same in residual blocks of two 3 × 3 convolutions, 16 channels on images of 8 × 8 pixels, T = 4, B = 32."""
    return _blocks("resnet", DEEP, T=[4], B=[32])


def _blocks(network: str, subjects: Sequence[str], **sizes: Any) -> list[Case]:
    named = (f"{network}[residual={r},blocks={2**k}]" for r in ("sew", "ms", "none") for k in range(5))
    return [case for text in named for case in grid(subjects, workload="network", network=text, **sizes)]


def events() -> list[Case]:
    """What it costs to learn from spike times over their number: exactly, by EventProp, and by BPTT on a grid, of one neuron.

    1 to 10 spikes a channel, B = 8, on grids of 100 and of 1000 steps: of 1 and 0.1 ms, if the time constants are 20 and 10 ms.
    All start from the same lists, and what turns them into counts per step, or sorts them, is timed. `show --schemes` is the table.
    """
    found = list[Case]()
    for finer in (1, 10):
        lif = f"lif[decay={math.exp(-0.05 / finer):.15g},synapse_decay={math.exp(-0.1 / finer):.15g}]@cpu"
        subjects = [f"{lif}+{scheme}" for scheme in ("bptt", "eventprop", "fast_and_deep")]
        for rate in (0.01, 0.02, 0.05, 0.1):  # at more the judge, which has the definition, takes minutes
            found += grid(subjects, workload="events", T=[100 * finer], B=[8], N=[128], rate=rate / finer)
    return found


def elements() -> list[Case]:
    """Every fused kernel of a CPU at one number of elements, T·B·N = 2²⁰, from few long series to many short ones; training.

    It shows where a kernel is bound by the steps that follow each other, by its launches, and by the memory. Read beside a
    copy of the input, and drawn by `plot elements`.
    """
    fused = [s for s in field() if s.endswith("@cpu")]
    widths = (32, 128, 512, 2048)  # T from 8192, where the definition that every gate runs takes seconds, to 128
    return [case for n in widths for case in _bounded(fused, T=[ELEMENTS // (4 * n)], B=[4], N=[n])]


def agreement() -> list[Case]:
    """How often the spikes of approximate neurons equal an exact LIF's, over decay and rate."""
    rates = (0.05, 0.1, 0.3)
    alike = partial(grid, T=[512], B=[4], N=[128], mode=["inference"])
    found = [alike([subject], rate=rate) for n in registry.names("neurons") for subject in _near(n) for rate in rates]
    return [case for cases in found for case in cases]


def _near(neuron: str) -> list[str]:
    """A neuron at the decays of the LIF that it approximates; as it is, where it approximates one LIF alone.

    What is learned for one length starts at random, and has nothing to compare.
    """
    declared = registry.facts(neuron).attributes
    if declared.fixed_length or declared.approximates is None:
        return []
    options = re.findall(r"\{(\w*decay)\}", declared.approximates)
    decays = (0.5, 0.8, 0.9, 0.95, 0.99) if options else (None,)
    return [f"{neuron}[{','.join(f'{o}={decay}' for o in options)}]" if options else neuron for decay in decays]


def equal_input() -> list[Case]:
    """Every neuron on the same input, training: a Gaussian current of mean 0.5, and not one mean for each to reach a rate."""
    return _bounded(field(), T=[1000], B=[16], N=[128], bias=0.5)


def default_allocator() -> list[Case]:
    """LIF and SPSN where malloc returns memory as it comes, as in a reader's own process, beside the usual sizes, training."""
    subjects = [s for s in (*LIF, *SPSN) if "@compiled" not in s]
    both = [grid(subjects, T=[100, 1000], B=[4], N=[128], allocator=how) for how in ("kept", "default")]
    return [case for cases in both for case in cases]


def able() -> list[str]:
    """The libraries whose LIF can be set to that of the sweep `libraries`."""
    named = [(b, parse_subject(f"{THE_LIF}@{b}")) for b in registry.libraries("lif")]
    return [b for b, s in named if not registry.limits(b, "lif").lacking({**s.all_options, **s.all_how})]


def libraries() -> list[Case]:
    """One LIF, the same in every library and on all our backends, T from 100 to 10,000 at B = 16, N = 128.

    The one that all of them can be set to: hard reset, detached, spike at u ≥ θ, fast sigmoid of slope 1.
    """
    subjects = [f"{THE_LIF}@{b}" for b in ("cpu", "compiled", "eager", *able(), "indexed")]
    lengths = partial(grid, subjects, T=[100, 1000, 10000], B=[16], N=[128])
    return _short(lengths(mode=["train"])) + lengths(mode=["forward"])


def regression() -> list[Case]:
    """About 40 cases that asv tracks over commits: one axis at a time for the backends that are ours; on a GPU its own too."""
    ours = ("lif@eager", "lif@cpu", "spsn@eager", "spsn@cpu")
    lengths = grid(ours, T=[128, 512, 2000], B=[4], N=[128])
    batches = grid(ours, T=[256], B=[1, 16, 64], N=[128])
    widths = grid(ours, T=[256], B=[16], N=[32, 512, 2048])
    inference = grid(ours, T=[512], B=[4], N=[512], mode=["inference"])
    return [*lengths, *batches, *widths, *inference, *(cuda_regression() if environment.gpu() else ())]


def cuda_regression() -> list[Case]:
    """What `regression` has besides on a machine with a GPU: our kernels over T and for a batch that fills the GPU, and a loop of launches."""
    ours = ("lif@triton", "spsn@triton")
    lengths = grid(ours, T=[1024, 4096, 10000], B=[32], N=[512], device="cuda")
    full = grid(ours, T=[1024], B=[128], N=[512], device="cuda")
    return [*lengths, *full, *grid(["lif@eager"], T=[512], B=[32], N=[512], device="cuda")]


def _bounded(subjects: Sequence[str], **axes: Any) -> list[Case]:
    """The grid without the lengths at which a subject would take minutes."""
    return _short(grid(subjects, **axes))


def _short(cases: Iterable[Case]) -> list[Case]:
    """Those that take no minutes at their length."""
    return [c for c in cases if c.T <= registry.longest(c.parsed.name, c.parsed.backend)]


@dataclass(frozen=True)
class Companion:
    """What goes with a sweep: subjects compared in live pairs at one case, and trainings on real data."""

    subjects: tuple[str, ...]
    case: Case
    pairs: int
    trainings: tuple[Case, ...]


def companion(name: str) -> Companion | None:
    """The pairs and trainings that go with a sweep, if any: `quick` has some 40 seconds of each."""
    if canonical(name) != "quick":
        return None
    subjects = ("lif@eager", "lif@cpu", "spsn@cpu")
    trained = [
        Case(subject, 0, 0, 0, workload="training", task="japanese_vowels", seed=seed)
        for subject in ("lif@eager", "lif@cpu", "spsn@cpu")
        for seed in range(2)
    ]
    return Companion(subjects, Case(subjects[0], T=1000, B=16, N=128), 5, tuple(trained))


SWEEPS: dict[str, Callable[[], list[Case]]] = {
    f.__name__: f
    for f in (
        smoke,
        quick,
        length,
        growth,
        floor,
        batch,
        width,
        bottleneck,
        depth,
        depth_of_images,
        events,
        elements,
        agreement,
        equal_input,
        default_allocator,
        libraries,
        regression,
        cuda_regression,
    )
}

# of sweeps that are not read by the metrics that `run` takes by default
METRICS = {
    "floor": ("latency", "copy", "bandwidth", "peak_memory"),
    "agreement": ("agreement",),
    "bottleneck": ("latency", "neuron_share"),
    "elements": ("latency", "copy", "bandwidth"),
    "events": ("latency", "peak_memory"),
    "depth": ("latency", "peak_memory", "gradient_norms"),
    "depth_of_images": ("latency", "peak_memory", "gradient_norms"),
}


def sweep(name: str) -> list[Case]:
    """The cases of a sweep; Problem if there is none of that name."""
    wanted = canonical(name)
    if wanted not in SWEEPS:
        raise Problem(f"no sweep {name!r}; there are {', '.join(SWEEPS)}")
    return SWEEPS[wanted]()


def metrics(name: str) -> tuple[str, ...]:
    """The metrics that a sweep is read by; none where they are those of `run`."""
    return METRICS.get(canonical(name), ())
