"""The cpu backend against the definitions: every option, odd sizes, any number of threads, in float64 to the last bits."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

pytest.importorskip("numba")
from numba import njit, types
from numba.core import cgutils

from spikebench import registry
from spikebench.backend import Refused, refusal
from spikebench.backends.cpu import (
    dsn,
    exodus,
    ipsu,
    lif,
    masked_psn,
    prf,
    psn,
    psu,
    rpsu,
    slayer,
    sliding_psn,
    spike_sampler,
    spsn,
)
from spikebench.backends.cpu._kernels import elementary, lane_functions, lanes
from spikebench.backends.cpu._kernels.elementary import exp
from spikebench.backends.cpu._kernels.philox import uniforms
from spikebench.backends.cpu._kernels.primitives import LINE, primitive
from spikebench.backends.cpu._runtime import depthwise, products, threads, two_state, windows
from spikebench.cases.case import Case
from spikebench.cases.subject import Subject, parse_subject
from spikebench.loading.subject import definition
from spikebench.metric import Unavailable
from spikebench.metrics import product
from spikebench.metrics.bandwidth import declared
from spikebench.neuron import Neuron, StochasticNeuron
from spikebench.neurons.exodus import Exodus
from spikebench.neurons.ipsu import IPSU
from spikebench.neurons.lif import LIF
from spikebench.neurons.masked_psn import MaskedPSN
from spikebench.neurons.psn import PSN
from spikebench.neurons.psu import PSU
from spikebench.neurons.rpsu import RPSU
from spikebench.neurons.slayer import SLAYER
from spikebench.neurons.sliding_psn import SlidingPSN
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.neurons.spsn import SPSN
from spikebench.numerics import philox
from spikebench.numerics.surrogate import Surrogate
from spikebench.workloads.layer import build

pytestmark = pytest.mark.long  # processes or compiled loops

RELATIVE = 1e-12
STEPS = st.sampled_from([1, 2, 3, 4, 5, 31, 32, 33, 66])
REST = st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 7, 16, 17, 48, 130, 208]))
STREAM_LIMITS = st.sampled_from([0, threads.STREAM_FROM])  # whether rows go past the caches where they can
DECAYS = [0.0, 0.5, 0.9, 0.99, 1.0]
SURROGATES = get_args(Surrogate)
LIF_OPTIONS = st.fixed_dictionaries(
    {
        "decay": st.sampled_from(DECAYS),
        "threshold": st.sampled_from([0.5, 1.0, 2.0]),
        "reset": st.sampled_from(["none", "soft", "hard", "delay"]),
        "detach_reset": st.booleans(),
        "strict": st.booleans(),
        "input_scale": st.sampled_from(["one", "1-decay"]),
        "synapse_decay": st.sampled_from([None, 0.0, 0.7, 0.95]),
        "surrogate": st.sampled_from(SURROGATES),
        "slope": st.sampled_from([1.0, 2.0, 10.0]),
        "learn_decay": st.booleans(),
        "learn_threshold": st.booleans(),
    }
)
SPSN_OPTIONS = st.fixed_dictionaries(
    {
        "mem_decay": st.sampled_from(DECAYS),
        "syn_decay": st.sampled_from(DECAYS[:-1]),
        "mode": st.sampled_from(["sb", "gs"]),
        "estimator": st.sampled_from(["authors", "straight-through"]),
        "tau": st.sampled_from([0.5, 1.0, 3.0]),
    }
)
PSU_OPTIONS = st.fixed_dictionaries(
    {
        "decay": st.sampled_from(DECAYS),
        "threshold": st.sampled_from([0.5, 1.0, 2.0]),
        "surrogate": st.sampled_from(SURROGATES),
        "slope": st.sampled_from([1.0, 2.0, 10.0]),
    }
)
OVER_TIME = st.one_of(  # what multiplies by a matrix over time, with its options
    st.tuples(st.just("psn"), st.just({})),
    st.tuples(st.just("masked_psn"), st.fixed_dictionaries({"k": st.sampled_from([1, 2, 8, 31, 33, 60])})),
    st.tuples(st.just("masked_psn"), st.fixed_dictionaries({"masking": st.sampled_from([0.0, 0.25])})),
    st.tuples(
        st.just("sliding_psn"),
        st.fixed_dictionaries({"k": st.sampled_from([1, 2, 4, 7, 8, 40]), "exp_init": st.booleans()}),
    ),
    st.tuples(
        st.just("ipsu"),
        st.fixed_dictionaries(
            {
                "decay": st.sampled_from(DECAYS[:-1]),
                "threshold": st.sampled_from([0.5, 1.0]),
                "variant": st.sampled_from(["braincog", "fpt"]),
            }
        ),
    ),
    st.tuples(
        st.sampled_from(["rpsu", "ppsu"]),
        st.fixed_dictionaries({"decay": st.sampled_from(DECAYS), "threshold": st.sampled_from([-0.5, 1.0])}),
    ),
)
EXODUS_OPTIONS = st.fixed_dictionaries(
    {
        "decay": st.sampled_from(DECAYS),
        "threshold": st.sampled_from([0.5, 1.0]),
        "subtract": st.sampled_from([None, 0.5, 2.0]),
        "v_min": st.sampled_from([None, -1.0, -0.5, 0.25]),
        "max_spikes": st.sampled_from([None, 1, 3]),
        "norm_input": st.booleans(),
        "surrogate": st.sampled_from(SURROGATES),
        "width": st.sampled_from([0.25, 0.5, 1.0]),
        "synapse_decay": st.sampled_from([None, 0.0, 0.7, 0.95]),
        "decay_early": st.booleans(),
        "learn_decay": st.booleans(),
    }
)
SCALED = "[norm_input=true,learn_decay=true]@cpu"
MORE = {
    "lif": ("lif@cpu[plan=recompute]", "lif[input_scale=1-decay,learn_decay=true]@cpu"),
    "exodus": (f"exodus{SCALED}",),
    "slayer": (f"slayer{SCALED}",),
}
OURS = [n for n in registry.names("neurons") if "cpu" in registry.backends(n)]
PRODUCTS = ["psn", "ipsu", "rpsu", "ppsu", "masked_psn[k=40]", "masked_psn[masking=0.5]"]
# who launches the kernels, where that is not the neuron's own file alone
KEEP: dict[str, tuple[Any, ...]] = {
    "slayer": (exodus,),
    "masked_psn": (windows,),
    "sliding_psn": (windows,),
    "plif": (lif,),
    "s5_rf": (prf,),
    "silif": (two_state,),
    "c_silif": (two_state,),
    "mul_free_psn": (depthwise,),
    "dsn": (dsn, depthwise),
}


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    count, limit = torch.get_num_threads(), threads.STREAM_FROM
    yield
    torch.set_num_threads(count)
    threads.STREAM_FROM = limit


def make_lif(options: dict[str, Any], dtype: torch.dtype = torch.float64) -> LIF:
    delay = options["reset"] == "delay"
    neuron = LIF(**options | {"reset": "soft" if delay else options["reset"], "reset_delay": delay})
    return cast(LIF, neuron.rounded(dtype))


def currents(
    steps: int, rest: tuple[int, ...], seed: int, ties: bool = False, dtype: torch.dtype = torch.float64
) -> Tensor:
    x = 1.5 * torch.randn(steps, *rest, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ((8 * x).round() / 8 if ties else x).to(dtype).requires_grad_()


def gradients(spikes: Tensor, x: Tensor, neuron: Neuron, seed: int = 1) -> list[Tensor]:
    g = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(x.dtype)
    wanted = [x, *neuron.parameters()]
    found = torch.autograd.grad(spikes, wanted, g, allow_unused=True)
    return [torch.zeros_like(w) if f is None else f for f, w in zip(found, wanted, strict=True)]


def far(got: Tensor, expected: Tensor, least: float = 0.0) -> float:
    """The largest difference, relative to the largest value (at least `least`)."""
    scale = max(expected.abs().max().item(), least)
    return (got - expected).abs().max().item() / (scale or 1.0)


def assert_near(got: list[Tensor], expected: list[Tensor], least: float = 0.0) -> None:
    """Gradients of x [T, B, N] and of parameters, whose error is one of the terms they sum: of a neuron, or of all of them."""
    assert far(got[0], expected[0], least) < RELATIVE
    terms = expected[0].abs().sum((0, 1))
    for one, right in zip(got[1:], expected[1:], strict=True):
        scale = terms.max() if right.shape[-1:] == terms.shape else terms.sum()
        assert far(one, right, max(least, scale.item())) < RELATIVE


@given(LIF_OPTIONS, STEPS, REST, st.integers(0, 9), st.booleans(), st.integers(1, 3), STREAM_LIMITS)
@settings(max_examples=60, deadline=None)
def test_lif_is_the_definition(
    options: dict[str, Any], steps: int, rest: tuple[int, int], seed: int, ties: bool, count: int, stream_from: int
) -> None:
    threads.STREAM_FROM = stream_from
    torch.set_num_threads(count)
    neuron, x = make_lif(options), currents(steps, rest, seed, ties)
    expected = cast(Tensor, neuron(x))
    save, again = lif.run(neuron, x, plan="save"), lif.run(neuron, x, plan="recompute")
    by_save, by_recompute = gradients(save, x, neuron), gradients(again, x, neuron)
    assert torch.equal(save, expected) and torch.equal(again, expected)
    # the definition's p·(1 − p) has an absolute error of one epsilon, which dominates where every p is near 1
    least = 1e-3 * options["slope"] if options["surrogate"] == "sigmoid" else 0.0
    for got, same in zip(by_save, by_recompute, strict=True):
        assert torch.equal(got, same)
    assert_near(by_save, gradients(expected, x, neuron), least)


@given(SPSN_OPTIONS, STEPS, REST, st.integers(0, 2**64 - 1), st.integers(1, 3), STREAM_LIMITS)
@settings(max_examples=60, deadline=None)
def test_spsn_is_the_definition(
    options: dict[str, Any], steps: int, rest: tuple[int, int], seed: int, count: int, stream_from: int
) -> None:
    threads.STREAM_FROM = stream_from
    torch.set_num_threads(count)
    neuron, x = SPSN(**options), currents(steps, rest, 0)
    neuron.seed, neuron.site, neuron.calls = seed, seed % 5, seed % 3
    expected = cast(Tensor, neuron(x))
    neuron.calls -= 1
    spikes = spsn.run(neuron, x)
    (got,) = gradients(spikes, x, neuron)
    assert neuron.calls == seed % 3 + 1
    assert torch.equal(spikes, expected)
    assert far(got, gradients(expected, x, neuron)[0]) < RELATIVE


@given(PSU_OPTIONS, STEPS, REST, st.integers(0, 9), st.integers(1, 3), STREAM_LIMITS)
@settings(max_examples=40, deadline=None)
def test_psu_is_the_definition(
    options: dict[str, Any], steps: int, rest: tuple[int, int], seed: int, count: int, stream_from: int
) -> None:
    threads.STREAM_FROM = stream_from
    torch.set_num_threads(count)
    neuron, x = PSU(**options), currents(steps, rest, seed)
    expected, spikes = cast(Tensor, neuron(x)), psu.run(neuron, x)
    assert torch.equal(spikes, expected)
    least = 1e-3 * options["slope"] if options["surrogate"] == "sigmoid" else 0.0
    assert far(gradients(spikes, x, neuron)[0], gradients(expected, x, neuron)[0], least) < RELATIVE


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("module", "neuron"),
    [
        (lif, LIF(learn_decay=True, input_scale="1-decay", synapse_decay=0.7)),
        (exodus, Exodus(learn_decay=True, norm_input=True, synapse_decay=0.7)),
        (psu, PSU()),
        (spsn, SPSN(mode="gs")),
        (rpsu, RPSU(T=35)),
        (psn, PSN(T=35)),
        (sliding_psn, SlidingPSN()),
        (spike_sampler, SpikeSampler(720, state=10)),
    ],
)
def test_rows_past_the_caches_have_the_same_bits(
    module: Any, neuron: Neuron, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(2)
    neuron, x = cast(Neuron, neuron.rounded(dtype)), currents(35, (3, 720), 0, dtype=dtype)
    monkeypatch.setattr(threads, "NARROW", 624)

    def found(stream_from: int) -> list[Tensor]:
        threads.STREAM_FROM = stream_from
        cast(Any, neuron).calls = 0  # of a stochastic neuron
        spikes = module.run(neuron, x)
        return [spikes, *gradients(spikes, x, neuron)]

    for far_away, near in zip(found(0), found(2**60), strict=True):
        assert torch.equal(far_away, near)


def test_what_goes_past_the_caches() -> None:
    x = torch.empty(3 * 1024 * 1024 + 1)
    whole, odd, shifted = x[:-1].view(-1, 1024), x[: 1024 * 1023].view(-1, 1023), x[1:].view(-1, 1024)
    constants = torch.empty(7)[None]
    threads.STREAM_FROM = whole.nbytes + 1
    assert not threads.goes_far([whole, constants])
    threads.STREAM_FROM = whole.nbytes
    assert threads.goes_far([whole, whole, constants]) and threads.goes_far([whole, whole[:0]])
    assert not threads.goes_far([whole[:-1], whole])
    threads.STREAM_FROM = 0
    assert not threads.goes_far([odd]) and not threads.goes_far([whole, shifted])


@given(OVER_TIME, STEPS, REST, st.sampled_from(SURROGATES), st.integers(0, 9), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_neurons_with_a_matrix_over_time_are_the_definition(
    made: tuple[str, dict[str, Any]], steps: int, rest: tuple[int, int], surrogate: str, seed: int, count: int
) -> None:
    torch.set_num_threads(count)
    torch.manual_seed(seed)
    name, options = made
    neuron = definition(Subject(name, options | {"surrogate": surrogate}), rest[1], steps).double()
    with torch.no_grad():
        neuron.get_parameter("weight").mul_(2.0)
        for bias in (p for n, p in neuron.named_parameters() if n == "bias"):
            bias.add_(0.5 * torch.randn(bias.shape))
    x = currents(steps, rest, seed)
    expected, spikes = cast(Tensor, neuron(x)), import_module(f"spikebench.backends.cpu.{name}").run(neuron, x)
    assert torch.equal(spikes, expected)
    for got, right in zip(gradients(spikes, x, neuron), gradients(expected, x, neuron), strict=True):
        assert far(got, right, 1e-2) < RELATIVE  # sums over series may cancel


@pytest.mark.parametrize("rows", [1, 16, 48])
@pytest.mark.parametrize("text", [*PRODUCTS, "ipsu[variant=fpt]"])
def test_blocks_of_any_size_give_the_same(text: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "ROWS", rows)
    monkeypatch.setattr(products, "SHORTEST", rows)  # 7, 3 and 2 blocks of a triangle
    torch.manual_seed(0)
    subject = parse_subject(text)
    neuron, x = definition(subject, 5, 100).double(), currents(100, (3, 5), 1)
    expected, spikes = cast(Tensor, neuron(x)), import_module(f"spikebench.backends.cpu.{subject.name}").run(neuron, x)
    assert torch.equal(spikes, expected)
    for got, right in zip(gradients(spikes, x, neuron), gradients(expected, x, neuron), strict=True):
        assert far(got, right) < RELATIVE


@pytest.mark.parametrize(
    ("module", "neuron"),
    [(psn, PSN(6)), (masked_psn, MaskedPSN(6)), (ipsu, IPSU(6)), (rpsu, RPSU(6)), (sliding_psn, SlidingPSN())],
)
def test_a_matrix_over_time_alone_learns_too_and_has_one_length(module: Any, neuron: Any) -> None:
    neuron.double()
    x = currents(6, (2, 3), 0)
    learned = list(neuron.parameters())
    alone = torch.autograd.grad(module.run(neuron, x.detach()).sum(), learned)
    expected = torch.autograd.grad(neuron(x).sum(), learned)
    assert all(far(got, right) < RELATIVE for got, right in zip(alone, expected, strict=True))
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(module.run(neuron, x).sum(), x, create_graph=True)
    neuron.requires_grad_(False)
    (frozen,) = torch.autograd.grad(module.run(neuron, x).sum(), x)
    assert far(frozen, torch.autograd.grad(neuron(x).sum(), x)[0]) < RELATIVE
    if neuron.fixed_length:
        with pytest.raises(ValueError, match="T=6"):
            module.run(neuron, currents(5, (2, 3), 0))
    with pytest.raises(Refused, match="float16"):
        module.run(neuron, x.half())


@given(st.sampled_from([Exodus, SLAYER]), EXODUS_OPTIONS, STEPS, REST, st.integers(0, 9), st.booleans(), STREAM_LIMITS)
@settings(max_examples=60, deadline=None)
def test_exodus_and_slayer_are_the_definition(
    made: type[Exodus],
    options: dict[str, Any],
    steps: int,
    rest: tuple[int, int],
    seed: int,
    ties: bool,
    stream_from: int,
) -> None:
    threads.STREAM_FROM = stream_from
    neuron, x = cast(Exodus, made(**options).rounded(torch.float64)), currents(steps, rest, seed, ties)
    module: Any = exodus if made is Exodus else slayer
    expected, spikes = cast(Tensor, neuron(x)), module.run(neuron, x)
    assert torch.equal(spikes, expected)
    least = 1e-3 * neuron.slope if options["surrogate"] == "sigmoid" else 1e-2  # sums over series may cancel
    for got, right in zip(gradients(spikes, x, neuron), gradients(expected, x, neuron), strict=True):
        assert far(got, right, least) < RELATIVE


def test_a_membrane_at_the_least_counts_as_cut() -> None:
    neuron = Exodus(decay=0.5, v_min=-0.5, surrogate="triangle", width=4.0)
    x = torch.tensor([-0.5, 1.0, -3.0, 0.75]).view(4, 1, 1).requires_grad_()
    (got,) = torch.autograd.grad(exodus.run(neuron, x).sum(), x)
    (right,) = torch.autograd.grad(cast(Tensor, neuron(x)).sum(), x)
    assert torch.equal(got, right) and got[0] == 0 and got[1] != 0 and got[2] == 0


@given(st.sampled_from([2, 6, 16]), STEPS, REST, st.integers(0, 2**64 - 1), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_spike_sampler_is_the_definition(state: int, steps: int, rest: tuple[int, int], seed: int, count: int) -> None:
    torch.set_num_threads(count)
    torch.manual_seed(seed % 100)
    neuron, x = SpikeSampler(rest[1], state=state).double(), currents(steps, rest, 0)
    neuron.seed, neuron.site, neuron.calls = seed, seed % 5, seed % 3
    expected = cast(Tensor, neuron(x))
    neuron.calls -= 1
    spikes = spike_sampler.run(neuron, x)
    assert torch.equal(spikes, expected)
    assert_near(gradients(spikes, x, neuron), gradients(expected, x, neuron), 1e-3)


def test_exponential() -> None:
    @njit(error_model="numpy")
    def fill(y: np.ndarray, out: np.ndarray) -> None:
        for k in range(y.size):
            out[k] = exp(y[k])

    for dtype, end in ((np.float32, 87.0), (np.float64, 708.0)):
        y = np.linspace(-end, end, 100_001).astype(dtype)
        out, right = np.empty_like(y), np.exp(y.astype(np.longdouble))
        fill(y, out)
        assert np.max(np.abs(out - right) / right) < np.finfo(dtype).eps
        fill(np.array([np.nan, np.inf, -np.inf], dtype), out[:3])
        assert np.isnan(out[0]) and np.isfinite(out[1]) and 0 < out[2] < 1e-37


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_whole_lines_have_the_bits_of_those_of_numbers(dtype: Any) -> None:
    """And an error of the exponential below one epsilon, of the sigmoid below two, of the logit below three of its terms."""
    most = 87.0 if dtype == np.float32 else 708.0
    y = np.linspace(-most, most, 1 << 14).astype(dtype)[None]
    share = np.linspace(2.0**-20, 1 - 2.0**-20, 1 << 14).astype(dtype)[None]
    one, wide, part = dtype(1), y.astype(np.longdouble), share.astype(np.longdouble)
    eps = np.finfo(dtype).eps
    for name, x, right, limit in (
        ("exp", y, np.exp(wide), eps * np.exp(wide)),
        ("sigmoid", y, 1 / (1 + np.exp(-wide)), 2 * eps / (1 + np.exp(-wide))),
        ("logit", share, np.log(part / (1 - part)), 3 * eps * np.maximum(np.abs(np.log(part)), -np.log(1 - part))),
    ):
        of_lines, of_number = getattr(lane_functions, name), getattr(elementary, name)
        found, each = np.empty_like(x), np.empty_like(x)
        by_lines(of_lines)(x, found)
        by_number(of_number, name != "exp")(x[0], each[0], one)
        assert np.array_equal(found, each)
        assert np.max(np.abs(found - right) / limit) < 1


@pytest.mark.parametrize("dtype, limit", [(np.float32, 86.0), (np.float64, 700.0)])
def test_logistic_function_of_whole_lines(dtype: Any, limit: float) -> None:
    """Within two epsilons of the exact one, and no further from 0 and 1 beyond."""

    def twice(y: lanes.Lanes) -> lanes.Lanes:
        gain = lanes.Lanes(y.builder, lanes.same(y.value.type, 2.0))
        ((found,),) = lane_functions.interleaved(lane_functions.logistic([y], gain))
        return found

    y = np.linspace(-limit / 2, limit / 2, 1 << 14).astype(dtype)[None]
    y[0, :4] = np.inf, -np.inf, np.nan, 3e38
    found = np.empty_like(y)
    by_lines(twice)(y, found)
    right = 1 / (1 + np.exp(-2 * y.astype(np.longdouble)))
    assert np.max(np.abs(found - right)[:, 4:] / right[:, 4:]) < 2 * np.finfo(dtype).eps
    assert np.array_equal(found[0, [0, 3]], [1, 1]) and 0 < found[0, 1] < 2e-38 and np.isnan(found[0, 2])


def by_lines(formula: Any) -> Any:
    """The formula for whole lines over the first row of an array, compiled."""

    @primitive
    def every(typing: Any, x: Any, out: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given, made = (lanes.Lines(context, builder, signature.args[n], args[n]) for n in range(2))
            with cgutils.for_range(builder, args[2], intp=args[2].type) as loop:
                m, row = builder.mul(loop.index, lanes.INT64(given.kind.count)), lanes.INT64(0)
                made.store(formula(given.load(row, m)), row, m, lanes.NEVER)
            return context.get_dummy_value()

        return types.none(x, out, count), generate

    @njit
    def fill(x: np.ndarray, out: np.ndarray) -> None:
        every(x, out, x.nbytes // LINE)

    return fill


def by_number(function: Any, second: bool) -> Any:
    """An elementary function over an array, compiled; with or without 1 as its second argument."""
    if second:

        @njit(error_model="numpy")
        def fill(x: np.ndarray, out: np.ndarray, one: Any) -> None:
            for k in range(x.size):
                out[k] = function(x[k], one)

    else:

        @njit(error_model="numpy")
        def fill(x: np.ndarray, out: np.ndarray, one: Any) -> None:
            for k in range(x.size):
                out[k] = function(x[k])

    return fill


@pytest.mark.parametrize("neuron", [n for n in OURS if n not in PRODUCTS])
@pytest.mark.parametrize("mode", ["inference", "forward", "train"])
def test_declared_bytes_are_those_of_the_tensors_it_touches(
    neuron: str, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernels are handed, but for tables of constants, which are small beside 512 steps."""
    touched = [0]
    holders: tuple[Any, ...] = KEEP.get(neuron) or (import_module(f"spikebench.backends.cpu.{neuron}"),)
    launch = threads.launch

    def counting(task: Any, arrays: list[Tensor], *numbers: int, most: int, **how: Any) -> None:
        touched[0] += sum(a.numel() * a.element_size() for a in arrays)
        launch(task, arrays, *numbers, most=most, **how)

    for holder in holders:
        monkeypatch.setattr(holder, "launch", counting)
    for text in (f"{neuron}@cpu", *MORE.get(neuron, ())):
        work = build(Case(text, T=512, B=8, N=16, mode=mode), 0.5)
        touched[0] = 0
        work.launch()
        assert declared(work.case) == pytest.approx(touched[0], rel=0.03), text


def counted(case: Case) -> int:
    """Operations that torch counts in a case; not in its launcher, whose module the counter would hook."""
    work = build(case, 0.5)
    run, neuron = import_module(f"spikebench.backends.cpu.{case.parsed.name}").run, cast(Any, work.module).neuron
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(case.mode != "inference"):
        spikes = run(neuron, work.x)
        if case.mode == "train":
            torch.autograd.grad(spikes, (work.x, *work.parameters), work.g)
    return counter.get_total_flops()


@pytest.mark.parametrize("text", PRODUCTS)
@pytest.mark.parametrize("mode", ["inference", "forward", "train"])
def test_declared_operations_are_those_of_its_products(text: str, mode: Any) -> None:
    case = Case(f"{text}@cpu", T=300, B=2, N=5, mode=mode)
    asked = product.declared(case)
    assert asked == counted(case)
    dense = 2 * 300**2 * 10 * (3 if mode == "train" else 1)
    assert asked == dense if text in ("psn", "masked_psn[masking=0.5]") else asked < 0.8 * dense
    with pytest.raises(Unavailable, match="declares no bytes"):
        declared(case)


@pytest.mark.parametrize("text", ["masked_psn", "sliding_psn", "lif"])
def test_what_multiplies_by_no_matrix_declares_no_operations(text: str) -> None:
    case = Case(f"{text}@cpu", T=40, B=2, N=5)
    assert counted(case) == 0
    with pytest.raises(Unavailable, match="declares no operations"):
        product.declared(case)


def test_bytes_that_nobody_declared() -> None:
    with pytest.raises(Unavailable, match="declares no bytes"):
        declared(Case("lif@eager"))


@pytest.mark.parametrize("surrogate", ["atan", "fast_sigmoid", "sigmoid", "triangle", "exponential"])
@pytest.mark.parametrize("plan", ["save", "recompute"])
def test_lif_in_float32(surrogate: Any, plan: Any) -> None:
    neuron, x = LIF(surrogate=surrogate), currents(100, (3, 50), 0, dtype=torch.float32)
    expected, spikes = cast(Tensor, neuron(x)), lif.run(neuron, x, plan=plan)
    assert spikes.dtype == torch.float32 and torch.equal(spikes, expected)  # the same roundings, so the same bits
    assert far(gradients(spikes, x, neuron)[0], gradients(expected, x, neuron)[0]) < 1e-5


@pytest.mark.parametrize("mode", ["sb", "gs"])
def test_spsn_in_float32(mode: Any) -> None:
    neuron, x = SPSN(mode=mode), currents(200, (4, 64), 0, dtype=torch.float32)
    u = philox.uniforms(9, 0, 0, x.shape)
    expected, spikes = cast(Tensor, neuron(x, u)), spsn.run(neuron, x, seed=9)
    differs = spikes != expected
    margin = neuron.margin(neuron.membrane(x.detach()), u)
    assert differs.double().mean() < 1e-4 and bool((margin[differs] < 1e-6).all())
    assert far(gradients(spikes, x, neuron)[0], gradients(expected, x, neuron)[0]) < 1e-5


@pytest.mark.parametrize("module", [exodus, psu, spike_sampler, psn, masked_psn, sliding_psn, ipsu, rpsu])
def test_others_in_float32(module: Any) -> None:
    torch.manual_seed(0)
    made: dict[Any, Neuron] = {exodus: Exodus(learn_decay=True), psu: PSU(), spike_sampler: SpikeSampler(50)}
    made |= {psn: PSN(200), masked_psn: MaskedPSN(200), sliding_psn: SlidingPSN(), ipsu: IPSU(200), rpsu: RPSU(200)}
    neuron, x = made[module], currents(200, (3, 50), 0, dtype=torch.float32)
    drawn = philox.uniforms(9, 0, 0, x.shape) if neuron.stochastic else None
    expected = cast(Tensor, neuron(x) if drawn is None else neuron(x, drawn))
    spikes = module.run(neuron, x, seed=9)
    differs = spikes != expected
    margin = neuron.margin(neuron.membrane(x.detach()), drawn)
    assert spikes.dtype == torch.float32 and differs.double().mean() < 1e-4 and bool((margin[differs] < 1e-5).all())
    for got, right in zip(gradients(spikes, x, neuron), gradients(expected, x, neuron), strict=True):
        assert far(got, right) < 2e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("plan", ["save", "recompute"])
def test_bits_do_not_depend_on_threads(dtype: torch.dtype, plan: Any) -> None:
    def everything(count: int) -> list[Tensor]:
        torch.set_num_threads(count)
        found = []
        for neuron, run, options in (
            (
                LIF(synapse_decay=0.8, surrogate="sigmoid", learn_decay=True, learn_threshold=True),
                lif.run,
                {"plan": plan},
            ),
            (LIF(), lif.run, {"plan": plan}),
            (SPSN(), spsn.run, {}),
            (SPSN(mode="gs"), spsn.run, {}),
            (PSU(), psu.run, {}),
            (SlidingPSN().to(dtype), sliding_psn.run, {}),
            (Exodus(learn_decay=True, norm_input=True, synapse_decay=0.7), exodus.run, {}),
            (sampler, spike_sampler.run, {}),
        ):
            if isinstance(neuron, StochasticNeuron):
                neuron.calls = 0
            x = currents(67, (5, 451), 0, dtype=dtype)
            spikes = cast(Any, run)(neuron, x, **options)
            found += [spikes, *gradients(spikes, x, neuron)]
        return found

    sampler = SpikeSampler(451, state=4).to(dtype)
    one, two = everything(1), everything(2)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_uniforms_are_philox() -> None:
    @njit
    def draw(out: np.ndarray, first: int, k0: int, k1: int, site: int, call: int) -> None:
        uniforms(out, out.shape[1], first, k0, k1, site, call)

    seed, site, call, series = 0xFEDCBA9876543210, 3, 70000, 1003
    expected = philox.uniforms(seed, call, site, (12, series)).numpy()
    out = np.empty((4, series), np.float32)
    for block in range(3):
        draw(out, block * series, seed & philox.MASK, seed >> 32, site, call)
        assert np.array_equal(out, expected[4 * block : 4 * block + 4])
    words = philox.words(seed, call, site, torch.arange(2**33, 2**33 + series))  # the counter's second word too
    draw(out, 2**33, seed & philox.MASK, seed >> 32, site, call)
    assert np.array_equal(out, np.stack([((w >> 8).float() * 2.0**-24).numpy() for w in words]))


@pytest.mark.parametrize("module", [lif, spsn, psu, exodus, sliding_psn])
def test_layouts(module: Any) -> None:
    made: dict[Any, type[Neuron]] = {lif: LIF, spsn: SPSN, psu: PSU, exodus: Exodus, sliding_psn: SlidingPSN}
    neuron = made[module]().double()
    plain = currents(33, (4, 6), 0)
    swapped = plain.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    g = torch.randn(33, 1, 1, dtype=torch.float64).expand(33, 4, 6)
    results = []
    for x, weights in ((plain, g.contiguous()), (swapped, g)):
        cast(Any, neuron).calls = 0
        spikes = module.run(neuron, x)
        results.append((spikes, *torch.autograd.grad(spikes, x, weights)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    for shape in ((7,), (7, 3), (7, 2, 3, 4), (7, 0), (0, 3)):
        assert module.run(neuron, torch.ones(shape, dtype=torch.float64)).shape == shape


def test_nan_never_spikes_and_stays() -> None:
    x = torch.full((6, 1, 40), 2.0)
    x[2, 0, :20] = float("nan")
    for reset in ("none", "soft", "hard"):
        neuron = LIF(reset=cast(Any, reset))
        assert torch.equal(lif.run(neuron, x), cast(Tensor, neuron(x)))
        assert lif.run(neuron, x)[2:, 0, :20].sum() == 0
    for run, neuron in ((spsn.run, SPSN()), (psu.run, PSU()), (exodus.run, Exodus()), (exodus.run, Exodus(v_min=0.0))):
        spikes = cast(Any, run)(neuron, x)
        assert spikes[2:, 0, :20].sum() == 0 and spikes[2:, 0, 20:].sum() > 0


@pytest.mark.parametrize("module", [lif, spsn])
def test_graph(module: Any) -> None:
    neuron: Any = LIF(learn_decay=True) if module is lif else SPSN()
    x = currents(5, (2, 3), 0)
    with torch.no_grad():
        assert module.run(neuron, x).grad_fn is None
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(module.run(neuron, x).sum(), x, create_graph=True)
    with pytest.raises(Refused, match="float16"):
        module.run(neuron, x.half())
    if module is lif:
        spikes = lif.run(neuron, x.detach())
        assert len(torch.autograd.grad(spikes.sum(), list(neuron.parameters()))) == 1
        with pytest.raises(ValueError, match="no plan"):
            lif.run(neuron, x, plan=cast(Any, "none"))


def test_forms_that_have_no_kernel_are_refused() -> None:
    x = torch.ones(3, 1, 2)
    for module, neuron, why in (
        (psu, PSU(form="dense"), "form=scan"),
        (exodus, Exodus(backward="doubling"), "backward=sequential"),
        (spike_sampler, SpikeSampler(2, ssm="dplr", state=4), "not diagonal"),
    ):
        with pytest.raises(Refused, match=why):
            cast(Any, module).run(neuron, x)


FORKED = """
import os, sys, torch
from spikebench.backends.cpu import lif
from spikebench.backends.cpu._kernels import lif as lif_kernels
from spikebench.backends.cpu._runtime import threads
from spikebench.neurons.lif import LIF
pid = os.fork()
if pid == 0:
    x = torch.randn(40, 2, 64, requires_grad=True)
    spikes = lif.run(LIF(), x)
    torch.autograd.grad(spikes.sum(), x)
    same = torch.equal(spikes, LIF()(x))
    hits = threads._compiled(lif_kernels.forward, torch.float32).cache_hits
    os._exit(0 if same and hits == 1 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_after_a_fork_and_from_the_disk_cache() -> None:
    lif.run(LIF(), torch.ones(2, 2))
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_PROC_BIND": "true"}
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60, env=environment)


TWICE = """
import os, sys, torch
from spikebench.backends.cpu._kernels import fire
from spikebench.backends.cpu._runtime import threads
children = []
for _ in range(2):
    if (pid := os.fork()) == 0:
        os._exit(threads._compiled(fire.forward, torch.float32).cache_hits)
    children.append(pid)
hits = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
sys.exit(sorted(hits) != [0, 1])
"""


def test_two_processes_compile_a_kernel_once(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", TWICE], check=True, timeout=60, env=environment)


@pytest.mark.parametrize("option", ["shared=false", "bounded=true", "refractory=2"])
def test_lif_refuses_what_it_has_no_loop_for(option: str) -> None:
    subject = parse_subject(f"lif[{option}]@cpu")
    assert option.partition("=")[0] in str(refusal(Case(str(subject), T=8, B=1, N=4)))
    with pytest.raises(Refused, match="no kernel for"):
        lif.run(cast(LIF, definition(subject, 4, 8)), torch.ones(8, 1, 4))
