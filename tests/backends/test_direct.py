"""Launching a compiled kernel directly: the binary that triton would take, its arguments, stream and device."""
# ruff: noqa: ANN001, ANN201, E402  # what is imported last needs triton; an annotation in a kernel is a command
# pyright: reportUndefinedVariable=false, reportInvalidTypeForm=false

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

triton = pytest.importorskip("triton", reason="triton is not installed")
tl = pytest.importorskip("triton.language")

from spikebench.backends.triton import _direct, _host, _launch, lif
from spikebench.neurons.exodus import Exodus
from spikebench.neurons.lif import LIF
from spikebench.neurons.spsn import SPSN


@triton.jit(do_not_specialize=["T"])
def some_kernel(
    x, y, learned, shift, T: "i64", M, decay: "fp64", count: "i64", KIND: tl.constexpr, BLOCK: tl.constexpr
):
    at = tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < M, other=0) * decay.to(tl.float32) + count + shift
    if learned is not None:
        value += tl.load(learned)
    if KIND == "b":
        value += T
    tl.store(y + at, value.to(y.dtype.element_ty), mask=at < M)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_host.Driver]:
    """One for all tests: triton keeps a binary's launcher, which is the driver's."""
    if _launch.interpreted():
        pytest.skip("TRITON_INTERPRET is set: kernels cannot be compiled in this process")
    with pytest.MonkeyPatch.context() as patch, _host.without_gpu() as stand_in:
        patch.setattr(triton.knobs.cache, "dir", str(tmp_path_factory.mktemp("kernels")))
        yield stand_in


@pytest.fixture(autouse=True)
def gpu(driver: _host.Driver, monkeypatch: pytest.MonkeyPatch) -> _host.Driver:
    monkeypatch.setattr(_direct, "_direct", {})
    return driver


MOST_CALLS = 76  # of Python functions in a training step
X, Y = torch.zeros(64), torch.zeros(64)


def arguments(**other: Any) -> dict[str, Any]:
    plain = {"x": X, "y": Y, "learned": None, "shift": 5, "T": 7, "M": 17, "decay": 0.5, "count": 3}
    return plain | {"KIND": "a", "BLOCK": 32} | other


CASES: list[dict[str, Any]] = [
    {},
    {"M": 1},
    {"M": 16},
    {"M": 2**31 - 1},
    {"M": 2**31},
    {"M": 2**31 + 16},
    {"M": -(2**31)},
    {"T": 16},
    {"T": 1},
    {"T": 2**40},
    {"count": 1},
    {"count": 16},
    {"count": 2**33},
    {"decay": 1.0},
    {"decay": 1},
    {"KIND": "b"},
    {"BLOCK": 64},
    {"x": torch.zeros(65)[1:]},
    {"y": torch.zeros(66)[2:]},
    {"y": torch.zeros(64, dtype=torch.bfloat16)},
    {"x": torch.zeros(64, dtype=torch.uint8)},
    {"learned": torch.zeros(())},
    {"learned": torch.zeros(2)[1]},
    {"shift": 1},
    {"shift": True},
    {"shift": 1.0},
    {"shift": 2.5},
    {"shift": 2**31},
]


GRID = (3, 2)


def reached(driver: _host.Driver, launch: Callable[[], object]) -> list[Any]:
    """What reaches the driver from a launch; pointers as their addresses, and nothing of a profiler's."""
    driver.launches.clear()
    launch()
    (launched,) = driver.launches
    assert not any(hook is not None and hook.calls for hook in launched[7:9])
    return [v.data_ptr() if isinstance(v, Tensor) else v for v in (*launched[:6], *launched[9:])]


def asked(driver: _host.Driver, given: dict[str, Any], warps: int = 1) -> list[Any]:
    return reached(driver, lambda: _launch.launch(some_kernel, GRID, warps, given["x"], **given))


def prepared(given: dict[str, Any]) -> Callable[[], None]:
    """The same launch with all that stays given before; T is a number that may change."""
    last = {k: v for k, v in given.items() if k == "T" or isinstance(v, Tensor) or k == "learned"}
    ready = _launch.Prepared(some_kernel, GRID, 1, **{k: v for k, v in given.items() if k not in last})
    return lambda: ready(given["x"], last)


@pytest.mark.long
def test_every_launch_has_the_binary_and_the_arguments_that_triton_gives_it(
    gpu: _host.Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: when triton compiles or finds it, and when it is known among all the others."""
    every = [arguments(**case) for case in CASES]
    tritons = [reached(gpu, lambda given=given: some_kernel[GRID](**given, num_warps=1)) for given in every]
    assert [asked(gpu, given) for given in every] == tritons
    monkeypatch.setattr(_direct.Direct, "_first", lambda *_: pytest.fail("not direct"))
    assert [asked(gpu, given) for given in every] == tritons
    monkeypatch.undo()
    ready = [prepared(given) for given in every]
    assert [reached(gpu, launch) for launch in ready] == tritons
    monkeypatch.setattr(_direct.Direct, "_first", lambda *_: pytest.fail("not direct"))
    assert [reached(gpu, launch) for launch in ready] == tritons
    functions = {launched[4] for launched in tritons}
    assert 15 <= len(functions) < len(CASES)  # T and a decay change no binary


def test_warps_are_of_the_binary(gpu: _host.Driver) -> None:
    one, four = (asked(gpu, arguments(), warps) for warps in (1, 4))
    assert one[4] != four[4] and asked(gpu, arguments(), 1) == one and asked(gpu, arguments(), 4) == four


def test_launches_go_to_the_stream_that_is_current(gpu: _host.Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = prepared(arguments())
    reached(gpu, ready)
    for stream in (11, 12):
        monkeypatch.setattr(gpu, "get_current_stream", lambda _, stream=stream: stream)
        assert asked(gpu, arguments())[3] == reached(gpu, ready)[3] == stream


def test_a_tensor_elsewhere_makes_its_device_current(gpu: _host.Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[int] = []

    class Elsewhere:
        def __init__(self, device: int) -> None:
            self.device = device

        def __enter__(self) -> None:
            entered.append(self.device)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "device", Elsewhere)
    ready = prepared(arguments())
    asked(gpu, arguments())
    reached(gpu, ready)
    assert entered == []
    monkeypatch.setattr(gpu, "get_current_device", lambda: 1)
    asked(gpu, arguments())
    reached(gpu, ready)
    assert entered == [-1, -1]  # the number that a tensor on the CPU has


def test_a_profilers_hooks_see_every_launch(gpu: _host.Driver) -> None:
    asked(gpu, arguments())
    seen: list[Any] = []
    chain = triton.knobs.runtime.launch_enter_hook
    chain.add(seen.append)
    try:
        gpu.launches.clear()
        _launch.launch(some_kernel, (1,), 1, torch.zeros(1), **arguments())
        assert gpu.launches[0][7] is chain
    finally:
        chain.remove(seen.append)


def test_an_argument_that_the_kernel_has_not_is_tritons_to_refuse(gpu: _host.Driver) -> None:
    asked(gpu, arguments())
    with pytest.raises((KeyError, TypeError)):
        asked(gpu, arguments() | {"other": 3})
    for lacking in ({k: v for k, v in arguments().items() if k != left_out} for left_out in ("decay", "learned")):
        with pytest.raises((KeyError, TypeError)):
            asked(gpu, lacking)
        with pytest.raises((KeyError, TypeError)):
            asked(gpu, lacking | {"other": None})
        with pytest.raises((KeyError, TypeError)):
            prepared(lacking)()


def test_what_is_known_of_a_kernel_does_not_grow_for_ever(gpu: _host.Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_direct, "MOST", 3)
    for count in range(20, 30):
        asked(gpu, arguments(M=count))
    direct = _direct.of(some_kernel, 1)
    assert direct is not None and len(direct._known) <= 3


def leaves(size: tuple[int, int, int] = (3, 2, 5), **how: Any) -> Tensor:
    return torch.zeros(size, **how).requires_grad_()


INPUTS: dict[str, Callable[[], Tensor]] = {
    "plain": leaves,
    "longer": lambda: leaves((4, 2, 5)),
    "turned": lambda: torch.zeros(3, 5, 2).transpose(1, 2).requires_grad_(),
    "shifted": lambda: torch.zeros(31)[1:].view(3, 2, 5).requires_grad_(),
    "without a gradient of its own": lambda: torch.zeros(3, 2, 5),
    "half": lambda: leaves(dtype=torch.bfloat16),
}


NEURONS: dict[str, tuple[Any, tuple[str, float]]] = {
    "lif": (LIF(learn_decay=True), ("threshold", 0.5)),
    "exodus": (Exodus(learn_decay=True), ("subtract", 0.5)),
    "spsn": (SPSN(mode="gs"), ("tau", 2.0)),
}


@pytest.mark.long
@pytest.mark.parametrize("name", NEURONS)
def test_what_a_neuron_prepares_is_what_triton_would_launch(
    name: str, gpu: _host.Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For inputs one after the other, twice, and after an option has changed: none is taken for another."""
    neuron, change = NEURONS[name]
    run = importlib.import_module(f"spikebench.backends.triton.{name}").run
    inputs = [make() for make in INPUTS.values()]

    def launched(x: Tensor) -> list[list[Any]]:
        """A training step's launches, with the input by its name and other tensors by none."""
        gpu.launches.clear()
        neuron.calls = 7
        wanted = [p for p in (x, *neuron.parameters()) if p.requires_grad]
        if wanted:
            s = run(neuron, x)
            torch.autograd.grad(s, wanted, torch.ones((), dtype=s.dtype).expand(s.shape))
        return [[named(v, x) for v in (*one[:6], *one[9:])] for one in gpu.launches]

    def named(value: Any, x: Tensor) -> Any:
        address = value.data_ptr() if isinstance(value, Tensor) else value
        if address == x.data_ptr():
            return "x"
        return "a tensor" if isinstance(value, Tensor) or (isinstance(value, int) and value >> 32) else value

    def by_triton(direct: Any, grid: Any, _: Any, given: Any) -> None:
        direct._kernel[grid](**direct._fixed, **given, num_warps=direct._warps)

    found = []
    for option in (None, change):
        if option:
            setattr(neuron, *option)
        with monkeypatch.context() as patch:
            patch.setattr(_launch, "_go", by_triton)
            expected = [launched(x) for x in inputs]
        assert [launched(x) for x in inputs] == expected
        assert [launched(x) for x in inputs] == expected
        found.append(expected)
    assert found[0] != found[1] and "x" in found[0][0][0] and len(found[0][0]) == 2


def test_recording_launches_nothing(gpu: _host.Driver) -> None:
    gpu.launches.clear()
    with _launch.recording() as found:
        lif.run(LIF(), torch.zeros(3, 1, 5, device="meta"))
    assert len(found) == 1 and gpu.launches == []


@pytest.mark.parametrize(("transform", "reason"), [(torch.func.grad, "setup_context"), (torch.func.vmap, "storage")])
def test_a_transform_of_functions_is_refused(transform: Any, reason: str) -> None:
    x = torch.zeros(2, 3, 1, 5, requires_grad=True)
    with pytest.raises(RuntimeError, match=reason):
        transform(lambda x: lif.run(LIF(), x).sum())(x)


@pytest.mark.parametrize("neuron", ["lif", "spsn"])
def test_a_training_step_takes_few_calls_of_python(neuron: str) -> None:
    """The time of these is what `python -m spikebench.backends.triton host` prints."""
    once = _host.step(neuron)
    once()
    calls = 0

    def count(_frame: Any, event: str, _what: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        once()
    finally:
        sys.setprofile(None)
    assert 0 < calls <= MOST_CALLS
