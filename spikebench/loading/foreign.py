"""Makes somebody's module a neuron of our protocol. How it is made, called and reset is given, or was found out by `detect.py`."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikebench.cases.options import Value
from spikebench.cases.subject import Way
from spikebench.errors import Problem

WIDTH_NAMES = (
    *("n", "N", "num_neurons", "n_neurons", "neurons", "size", "features", "num_features", "hidden_size", "input_size"),
    *("in_features", "out_features", "channels", "num_channels", "units", "dim", "width"),
)
LENGTH_NAMES = ("T", "steps", "num_steps", "n_steps", "time_steps", "timesteps", "seq_len", "length")
BATCH_NAMES = ("b", "B", "batch", "batch_size", "bsz", "bs")


class Adapted(nn.Module):
    """A module called its way: [T, B, N] → spikes [T, B, N]. It gets a view in its layout, not a copy."""

    def __init__(self, module: nn.Module, way: Way) -> None:
        super().__init__()
        self.module, self.way = module, way
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        wanted = [p for p in inspect.signature(module.forward).parameters.values() if p.kind in positional]
        self._more = sum(p.default is p.empty for p in wanted[1:])  # a state that must be given, None at first
        self._chunk, self._steps, self._whole = 0, self.steps, self.call

    def through(self, change: Callable[[Callable[..., Any]], Callable[..., Any]], chunk: int) -> "Adapted":
        """The same with what it calls changed by `change`: the whole sequence, or `chunk` steps where a call is a step."""
        self._chunk, self._steps, self._whole = chunk, change(self.steps), change(self.call)
        return self

    def forward(self, x: Tensor) -> Tensor:
        way, grad = self.way, torch.is_grad_enabled()
        state = self._first(x)
        if way.adapter == "step":
            out = self._loop(x, state)
        else:
            out = self._whole(x.transpose(0, 1) if way.layout == "BT" else x, state)[way.output]
            out = out.transpose(0, 1) if way.layout == "BT" else out
        torch.set_grad_enabled(grad)  # what the module switched stays with it
        return out

    def call(self, x: Tensor, state: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """One call of the module, and everything that it gives."""
        return outputs(self.module(x, *self._given(state)))

    def arguments(self, x: Tensor) -> tuple[Any, ...]:
        """What the module itself is given for an input [T, B, N]: the whole of it, or the first step; with its first state."""
        given = x[0] if self.way.adapter == "step" else x.transpose(0, 1) if self.way.layout == "BT" else x
        return given, *self._given(self._first(x))

    def _first(self, x: Tensor) -> tuple[Any, ...]:
        """The state before the first step, where it is carried; the module is reset."""
        first = restart(self.module, self.way.reset, x) if self.way.reset else ()
        return first if self.way.state == "carried" else ()

    def _given(self, state: tuple[Any, ...]) -> tuple[Any, ...]:
        return *state, *(None,) * (self._more - len(state))

    def _loop(self, x: Tensor, state: tuple[Any, ...]) -> Tensor:
        spikes: list[Tensor] = []
        for part in x.split(self._chunk or len(x)):
            s, state = self._steps(part, state)
            spikes.append(s)
        return torch.cat(spikes) if len(spikes) > 1 else spikes[0]

    def steps(self, x: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """The spikes of some steps, one call for each, and the state after them where it is carried."""
        spikes: list[Tensor] = []
        place, carried = self.way.output, self.way.state == "carried"
        for x_t in x.unbind(0):
            out = self.call(x_t, state)
            state = out[:place] + out[place + 1 :] if carried else ()
            spikes.append(out[place])
        return torch.stack(spikes), state


def outputs(out: Any) -> tuple[Any, ...]:
    """What a module gives, as a tuple."""
    return tuple(out.values()) if isinstance(out, Mapping) else tuple(out) if isinstance(out, tuple | list) else (out,)


def restart(module: nn.Module, name: str, x: Tensor) -> tuple[Any, ...]:
    """Call the reset on the module, or on the parts that have it; what it gives, for a state that is carried."""
    owners = [module] if hasattr(module, name) else [m for m in module.modules() if callable(getattr(m, name, None))]
    if not owners:
        raise Problem(f"no method {name} on {type(module).__name__} or its parts; name another with reset=")
    got = [getattr(owner, name)(**_sizes_for(getattr(owner, name), x)) for owner in owners][-1]
    return () if got is None else tuple(got) if isinstance(got, tuple | list) else (got,)


Given = int | torch.device | torch.dtype | torch.Size | Tensor


def _sizes_for(method: Callable[..., Any], x: Tensor) -> dict[str, Given]:
    """Arguments of a reset that have no default: the batch size, the number of neurons, device, dtype, an input."""
    known: dict[str, Given] = {
        **dict.fromkeys(BATCH_NAMES, x.shape[1]),
        **dict.fromkeys(WIDTH_NAMES, x.shape[2]),
    }
    known |= {"device": x.device, "dtype": x.dtype, "x": x[0], "input": x[0], "shape": x[0].shape}
    wanted = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty and _named(p)]
    if unknown := [p.name for p in wanted if p.name not in known]:
        raise Problem(f"{method.__name__} wants {', '.join(unknown)}, which spikebench cannot give")
    return {p.name: known[p.name] for p in wanted}


def _named(p: inspect.Parameter) -> bool:
    return p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)


@dataclass(frozen=True)
class Made:
    """A module and how it was made: what its constructor was given, and which of that stands for N and T."""

    module: nn.Module
    how: str


def make(factory: Any, options: Mapping[str, Value], name: str, n: int, T: int) -> Made:
    """The module of a class, a factory or an instance; sizes go to the arguments that are named like them.

    One whose default is no whole number is no size, however it is named. A single argument without a default whose name
    says nothing is taken to be the number of neurons.
    """
    if isinstance(factory, nn.Module):
        if options:
            raise Problem(f"{name} is a module already; its options {', '.join(options)} cannot be set any more")
        return Made(factory, "an instance, as it is")
    try:
        parameters = {k: p for k, p in inspect.signature(factory).parameters.items() if _named(p)}
    except ValueError:
        parameters = {}
    given, sizes = dict(options), {}
    for names, value in ((WIDTH_NAMES, n), (LENGTH_NAMES, T)):
        named = [k for k in names if k in parameters and k not in given and _may_be_size(parameters[k].default)]
        needed = [k for k in named if parameters[k].default is parameters[k].empty]
        sizes |= dict.fromkeys(needed or named[:1], value)
    missing = [k for k, p in parameters.items() if p.default is p.empty and k not in given | sizes]
    if len(missing) == 1 and n not in sizes.values():
        sizes[missing[0]] = n
        missing = []
    if missing:
        example = ", ".join(f'"{k}": …' for k in missing)
        raise Problem(
            f"{name} wants {', '.join(missing)}, which is no size that spikebench knows: --init '{{{example}}}'"
        )
    try:
        made = factory(**given, **sizes)
    except (TypeError, ValueError, AssertionError) as error:
        raise Problem(f"cannot make {name} with {given | sizes}: {error}") from error
    if not isinstance(made, nn.Module):
        raise Problem(f"{name} gives a {type(made).__name__}, not a torch.nn.Module")
    called = ", ".join([f"{k}={'N' if k in WIDTH_NAMES or v == n else 'T'}" for k, v in sizes.items()])
    called = ", ".join(filter(None, [called, *(f"{k}={v!r}" for k, v in given.items())]))
    return Made(made, f"{getattr(factory, '__name__', name)}({called})")


def _may_be_size(default: Any) -> bool:
    whole = isinstance(default, int) and not isinstance(default, bool)
    return default is None or default is inspect.Parameter.empty or whole


@contextmanager
def contained() -> Iterator[None]:
    """Switches back afterwards what foreign code switches globally while it is loaded: gradients, threads, default type."""
    threads, grad, dtype = torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    exact, anomaly = torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled()
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        if torch.are_deterministic_algorithms_enabled() != exact:  # the call would load the compiler, a second of it
            torch.use_deterministic_algorithms(exact)
        torch.autograd.set_detect_anomaly(anomaly)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
