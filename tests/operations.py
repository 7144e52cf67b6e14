"""Counts the operations that a definition does, by watching the tensors: kinds as in spikebench/analysis/cost.py."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

COMPARE = ("ge", "gt", "lt", "le", "clamp", "clamp_min", "maximum", "minimum")
SPECIAL = ("sigmoid", "exp", "floor", "tanh")
PRODUCTS = ("mm", "addmm", "mv", "bmm")


class Counting(TorchDispatchMode):
    """Counts per kind. Tensors of fewer than `smallest` numbers are constants.

    A spike, 0 or 1, times a constant is a selection, and so is what else has two values for it. A subtraction of a
    constant whose result is compared with 0 is part of that comparison.
    """

    def __init__(self, smallest: int) -> None:
        super().__init__()
        self.smallest = smallest
        self.counts = dict.fromkeys(("mul", "add", "compare", "select", "special"), 0.0)
        self.binary: dict[int, Tensor] = {}  # 0 or 1, for a spike
        self.chosen: dict[int, Tensor] = {}  # one of two constants, for a spike
        self.shifted: dict[int, Tensor] = {}  # less a constant

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.strip("_")
        if isinstance(out, Tensor):
            self._see(name, out, args)
        return out

    def _see(self, name: str, out: Tensor, args: tuple[Any, ...]) -> None:
        if name in ("to_copy", "view", "unsqueeze", "squeeze", "select", "slice", "clone", "alias", "detach", "t"):
            for known in (self.binary, self.chosen, self.shifted):
                if isinstance(args[0], Tensor) and id(args[0]) in known:
                    known[id(out)] = out
        elif name in PRODUCTS:
            self._product(name, out, args)
        elif name in COMPARE and out.numel() >= self.smallest:
            self._compare(name, out, args)
        elif name == "where" and out.numel() >= self.smallest:
            self.counts["select"] += out.numel()
        elif out.numel() >= self.smallest:
            self._elementwise(name, out, args)

    def _constant(self, x: Any) -> bool:
        return not isinstance(x, Tensor) or x.numel() < self.smallest

    def _compare(self, name: str, out: Tensor, args: tuple[Any, ...]) -> None:
        self.counts["compare"] += out.numel()
        if id(args[0]) in self.shifted and args[1] == 0:
            self.counts["add"] -= out.numel()
        if not name.startswith(("clamp", "m")):
            self.binary[id(out)] = out

    def _product(self, name: str, out: Tensor, args: tuple[Any, ...]) -> None:
        left, right = args[1:3] if name == "addmm" else args[:2]
        matrix = left if left.numel() < right.numel() else right
        inner = left.shape[-1]
        weights = float((matrix != 0).sum()) * out.numel() * inner / matrix.numel()
        self.counts["add"] += weights + (out.numel() if name == "addmm" else 0)
        if id(left) not in self.binary and bool(left.any()):
            self.counts["mul"] += weights

    def _elementwise(self, name: str, out: Tensor, args: tuple[Any, ...]) -> None:
        many = out.numel()
        if name in SPECIAL:
            self.counts["special"] += many
        elif out.is_complex() or (name == "sum" and args[0].is_complex()):
            self._complex(name, out, args)
        elif name == "sum":
            self.counts["add"] += args[0].numel() - many
        elif name == "mul" or (name == "div" and self._constant(args[1])):
            spikes = [a for a in args[:2] if id(a) in self.binary]
            self.counts["select" if spikes else "mul"] += many
            if spikes and any(self._constant(a) for a in args[:2]):
                self.chosen[id(out)] = out
        elif name in ("add", "sub", "rsub"):
            one, other = args[:2]
            for known in (self.binary, self.chosen):
                if id(one) in known and self._constant(other):
                    known[id(out)] = out
                    return
            if name == "sub" and self._constant(other):
                self.shifted[id(out)] = out
            self.counts["add"] += many

    def _complex(self, name: str, out: Tensor, args: tuple[Any, ...]) -> None:
        both = all(isinstance(a, Tensor) and a.is_complex() for a in args[:2])
        if name == "mul":
            self.counts["mul"] += out.numel() * (4 if both else 2)
            self.counts["add"] += out.numel() * (2 if both else 0)
        elif name == "add":
            self.counts["add"] += 2 * out.numel()
        elif name == "sum":
            self.counts["add"] += 2 * (args[0].numel() - out.numel())


def counted(neuron: torch.nn.Module, x: Tensor, **noise: Tensor) -> dict[str, float]:
    """Operations per neuron and step of a forward pass on x [T, B, N]: of one on it twice, side by side, less of one.

    What is made of parameters alone drops out.
    """
    smallest, found = x[0].numel(), dict[str, float]()
    for times, sign in ((2, 1), (1, -1)):
        with torch.no_grad(), Counting(smallest) as seen:
            neuron(x.repeat(1, times, 1), **{k: v.repeat(1, times, 1) for k, v in noise.items()})
        found = {k: found.get(k, 0.0) + sign * v / math.prod(x.shape) for k, v in seen.counts.items()}
    return found
