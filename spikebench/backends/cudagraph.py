"""The definition as CUDA graphs: forward and backward pass are recorded once for an input's shape, then replayed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spikebench.backend import Refused
from spikebench.neuron import StochasticNeuron

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LONGEST = 8192  # steps; a graph has dozens of nodes for each, and every node costs host and device memory
DEVICES = ("cuda",)
FOREIGN = True
SECONDS_A_STEP = 2.8e-5
WARM_UP = 3  # runs before the recording, as PyTorch asks: libraries set themselves up in them


def refuses(case: "Case") -> str | None:
    """Why nothing can be recorded, or None."""
    if case.device != "cuda":
        return f"CUDA graphs are recorded on CUDA devices; the case asks for {case.device}"
    if case.mode == "stream":
        return "a graph is recorded for a whole sequence; mode stream takes eager"
    return f"T={case.T}: a graph of more than {LONGEST} steps is not recorded" if case.T > LONGEST else None


class Recorded(nn.Module):
    """A module of somebody else, recorded as our definitions are."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return run(self.module, x)


def foreign(module: nn.Module) -> nn.Module:
    """A module of somebody else [T, B, N] → [T, B, N], by graphs of all its steps."""
    return Recorded(module)


def run(neuron: nn.Module, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]. Input and gradient are copied into the graph's own tensors, spikes and gradients out of them."""
    if x.device.type != "cuda":
        raise Refused(f"CUDA graphs are recorded on CUDA devices; the input is on {x.device.type}")
    noise = neuron.draw(x, seed) if isinstance(neuron, StochasticNeuron) else None
    parameters = [p for p in neuron.parameters() if p.requires_grad]
    wanted = (x.requires_grad, bool(parameters)) if torch.is_grad_enabled() else (False, False)
    graphs: dict[Any, _Graph] = vars(neuron).setdefault("_graphs", {})
    key = (x.shape, x.dtype, x.device, wanted)
    if key not in graphs:
        graphs[key] = _recorded(neuron, x, noise, wanted[0], parameters if wanted[1] else [])
    graph = graphs[key]
    if any(wanted):
        return _Replay.apply(x, noise, graph, *graph.parameters)  # pyright: ignore[reportReturnType]  # untyped in torch
    return graph.forward(x, noise)


def replay(module: nn.Module, mode: str) -> Callable[[], None] | None:
    """A launch's graphs alone, without the copies of full size into and out of them; None before anything is recorded."""
    graphs = [g for m in module.modules() for g in vars(m).get("_graphs", {}).values()]
    if len(graphs) != 1:
        return None
    (graph,) = graphs

    def alone() -> None:
        graph.forward_graph.replay()
        if mode == "train":
            graph.backward_graph.replay()

    return alone


def _recorded(
    neuron: nn.Module, x: Tensor, noise: Tensor | None, input_learns: bool, parameters: list[Any]
) -> "_Graph":
    """The recording, or Refused: what waits for the GPU or brings numbers from the host cannot be recorded."""
    try:
        return _Graph(neuron, x, noise, input_learns, parameters)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        why = str(error).strip().splitlines()[0]
        raise Refused(f"the definition of {type(neuron).__name__} cannot be recorded: {why}") from error


class _Graph:
    """One shape's recording: tensors at fixed addresses, a forward graph and, if anything learns, a backward graph.

    Parameters are read at the addresses they had, so an optimiser must change them in place, as those of PyTorch do.
    """

    def __init__(
        self, neuron: nn.Module, x: Tensor, noise: Tensor | None, input_learns: bool, parameters: list[Any]
    ) -> None:
        self.parameters, self.input_learns, self.number = parameters, input_learns, 0
        self.x = x.detach().clone(memory_format=torch.contiguous_format).requires_grad_(input_learns)
        self.noise = None if noise is None else noise.clone()
        self.sources = [*([self.x] if input_learns else []), *parameters]
        self._warm_up(neuron)
        self.forward_graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.forward_graph), torch.set_grad_enabled(bool(self.sources)):
            self.spikes = self._spikes(neuron)
        if self.sources:
            self.g, self.backward_graph = torch.zeros_like(self.spikes), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.backward_graph, pool=self.forward_graph.pool()):
                self.grads = torch.autograd.grad(self.spikes, self.sources, self.g, allow_unused=True)
        self.spikes = self.spikes.detach()

    def _spikes(self, neuron: nn.Module) -> Tensor:
        out = neuron(self.x) if self.noise is None else neuron(self.x, self.noise)
        return out[0] if isinstance(out, tuple) else out

    def _warm_up(self, neuron: nn.Module) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side), torch.set_grad_enabled(bool(self.sources)):
            for _ in range(WARM_UP):
                spikes = self._spikes(neuron)
                if self.sources:
                    torch.autograd.grad(spikes, self.sources, torch.zeros_like(spikes), allow_unused=True)
        torch.cuda.current_stream().wait_stream(side)

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """Spikes of an input, in a tensor of their own."""
        self.number += 1
        with torch.no_grad():
            self.x.copy_(x)
            if self.noise is not None and noise is not None:
                self.noise.copy_(noise)
        self.forward_graph.replay()
        return self.spikes.clone()

    def backward(self, grad: Tensor) -> list[Tensor | None]:
        """Gradients of the sources for the input of the last forward pass, in tensors of their own."""
        self.g.copy_(grad)
        self.backward_graph.replay()
        return [None if g is None else g.clone() for g in self.grads]


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, noise: Tensor | None, graph: _Graph, *parameters: Tensor) -> Tensor:
        spikes = graph.forward(x, noise)
        ctx.graph, ctx.number = graph, graph.number
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        graph: _Graph = ctx.graph
        if graph.number != ctx.number:
            raise RuntimeError("another forward pass has overwritten what this backward pass needs; use eager")
        grads = graph.backward(grad)
        to_x = grads.pop(0) if graph.input_learns else None
        return to_x, None, None, *grads
