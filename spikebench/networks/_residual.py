"""Networks of residual blocks: spikes are added (SEW), currents are added (MS), or nothing is, around Linear or Conv2d and any neuron."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.errors import Problem
from spikebench.network import MakeNeuron, Unchanged, number_sites
from spikebench.networks import _norms
from spikebench.networks._norms import Norm

Residual = Literal["sew", "ms", "none"]
Connect = Literal["add", "and", "iand"]

CONNECTS: dict[Connect, Callable[[Tensor, Tensor], Tensor]] = {  # of what a block's layers give and what it got
    "add": lambda s, x: s + x,
    "and": lambda s, x: s * x,
    "iand": lambda s, x: (1 - s) * x,
}


class Fires(nn.Module):
    """A layer of neurons. Those of maps get [T, B, C, H, W] as [T, B, C·H·W], and their spikes have the maps' shape again."""

    def __init__(self, neuron: nn.Module, channels: int, side: int) -> None:
        super().__init__()
        if getattr(neuron, "how", {}).get("spikes") == "bits":
            raise Refused("packed spikes are read by a Linear alone, and not added; take spikes without bits")
        self.neuron = neuron
        self.shape = (channels, side, side) if side else None

    def forward(self, x: Tensor) -> Tensor:
        # a view, so that the gradient of a shortcut is not part of its own
        own = x.view_as(x) if self.shape is None else x.flatten(2)
        out = self.neuron(own)
        spikes = out[0] if isinstance(out, tuple) else out
        return spikes if self.shape is None else spikes.unflatten(-1, self.shape)


class Current(nn.Module):
    """Linear or Conv2d and a norm, [T, B, …] → [T, B, …]: what a layer of neurons gets. With a norm there is no other bias."""

    def __init__(self, synapses: nn.Linear | nn.Conv2d, norm: nn.Module) -> None:
        super().__init__()
        self.synapses, self.norm = synapses, norm

    @property
    def bias(self) -> nn.Parameter | None:
        """What is added to the current of each neuron or channel; None behind a norm that has no bias."""
        own = self.synapses if isinstance(self.norm, Unchanged) else self.norm
        return cast(nn.Parameter | None, getattr(own, "bias", None))

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.synapses, nn.Linear):
            return self.norm(self.synapses(x))
        return self.norm(self.synapses(x.flatten(0, 1)).unflatten(0, x.shape[:2]))


@dataclass(frozen=True)
class Form:
    """What all layers of a network have in common. Where they are linear, the side of their maps is 0."""

    make_neuron: MakeNeuron
    residual: Residual
    connect: Connect
    norm: Norm
    T: int

    def fires(self, channels: int, side: int) -> Fires:
        """A layer of neurons."""
        return Fires(self.make_neuron(channels * max(1, side) ** 2), channels, side)

    def current(self, before: int, after: int, side: int, stride: int = 1, kernel: int = 3) -> Current:
        """The synapses and the norm in front of a layer."""
        bias = self.norm == "none"
        synapses = (
            nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=bias) if side else nn.Linear(before, after, bias)
        )
        return Current(synapses, _norms.made(self.norm, after, self.T, self.make_neuron))


class Block(nn.Module):
    """Two layers and a shortcut around them, x → y:

        sew    s = SN₂(W₂ SN₁(W₁ x))    y = s + x (add), s·x (and), (1 − s)·x (iand)     x and y are spikes
        ms     y = W₂ SN₂(W₁ SN₁(x)) + x                                                 x and y are currents
        none   y = SN₂(W₂ SN₁(W₁ x))

    Each W is a Linear or a 3 × 3 Conv2d with its norm. With `halves` y has half the side and twice the channels: then W₁
    has stride 2, and in the place of x stands SN(W₃ x) with SEW and W₃ x with MS, where W₃ is a 1 × 1 Conv2d of stride 2
    with its norm. With `add`, y counts spikes, and more of them with every block.
    """

    def __init__(self, form: Form, channels: int, side: int, halves: bool) -> None:
        super().__init__()
        self.form, ms, stride = form, form.residual == "ms", 2 if halves else 1
        out, after = (2 * channels, (side + 1) // 2) if halves else (channels, side)
        self.one = form.fires(channels, side) if ms else form.fires(out, after)
        self.two = form.fires(out, after)
        self.first = form.current(channels, out, side, stride)
        self.second = form.current(out, out, side)
        self.joins = form.current(channels, out, side, stride, kernel=1) if halves and form.residual != "none" else None
        self.joint = form.fires(out, after) if halves and form.residual == "sew" else None
        self.shape = out, after

    def forward(self, x: Tensor) -> Tensor:
        if self.form.residual == "ms":
            return self.second(self.two(self.first(self.one(x)))) + self.shortcut(x)
        s = self.two(self.second(self.one(self.first(x))))
        return s if self.form.residual == "none" else CONNECTS[self.form.connect](s, self.shortcut(x))

    def shortcut(self, x: Tensor) -> Tensor:
        """What stands in the place of x: itself where its shape stays."""
        current = x if self.joins is None else self.joins(x)
        return current if self.joint is None else self.joint(current)


class ResidualNetwork(nn.Module):
    """A stem, blocks, the mean over time and pixels, and a linear readout: x [T, B, channels·H·W] → logits [B, classes].

        sew, none    SN(W₀ x), blocks, mean, readout
        ms           W₀ x, blocks, SN, mean, readout

    `stages`: between two of them the side halves and the channels double. `zero_init`: the last norm of a block starts with
    weight 0, and with bias 1 where connect=and, so that every block starts as its shortcut. The authors of MS start so,
    those of SEW may. No synapse within a block then has a gradient in the first step.

    Sources: Fang et al., NeurIPS 2021, arXiv 2102.04159, fangwei123456/Spike-Element-Wise-ResNet at cfc547c
    (imagenet/sew_resnet.py, cifar10dvs/smodels.py); Hu et al., IEEE TNNLS 2024, arXiv 2112.08954, Ariande1/MS-ResNet at
    7c5f006 (models/MS_ResNet.py, BasicBlock_18). Here the stem is one 3 × 3 convolution without pooling, which runs at
    every step. There it is larger, and SEW's runs once, because the image stands still.
    """

    def __init__(
        self,
        form: Form,
        channels: int,
        width: int,
        blocks: int,
        classes: int,
        *,
        side: int = 0,
        stages: int = 1,
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        if stages > blocks:
            raise Problem(f"stages={stages}: each has a block, and there are blocks={blocks}")
        if form.connect != "add" and form.residual != "sew":
            raise Problem(f"connect={form.connect} says how spikes are joined with residual=sew; leave it out")
        self.form, self.image, shape = form, (channels, side, side), (width, side)
        self.fires = form.fires(*shape) if form.residual != "ms" else None
        self.stem, self.blocks = form.current(channels, width, side), nn.ModuleList()
        for k in range(blocks):
            halves = k > 0 and k * stages // blocks > (k - 1) * stages // blocks
            block = Block(form, *shape, halves)
            self.blocks.append(block)
            shape = block.shape
        self.last = form.fires(*shape) if form.residual == "ms" else None
        self.readout = nn.Linear(shape[0], classes)
        self.zero_init = zero_init
        if zero_init:
            self._start_as_shortcuts()
        number_sites(self)

    @property
    def neurons(self) -> list[nn.Module]:
        """Every layer of neurons, as a backend computes it."""
        return [bound for bound, _ in self.settled()]

    @property
    def currents(self) -> list[nn.Module]:
        """What gives the current of each layer, one after the other; those of shortcuts are not among them."""
        return [self.stem, *(current for block in self._blocks for current in (block.first, block.second))]

    @property
    def fixed_length(self) -> bool:
        """Whether its norms are made for one number of steps."""
        return self.form.norm in _norms.OF_STEPS

    @property
    def maps(self) -> list[tuple[int, int, int]]:
        """The shape [C, H, W] of the maps of each layer of neurons; nothing where the layers are linear."""
        return [m.shape for m in self.modules() if isinstance(m, Fires) and m.shape is not None]

    def settled(self) -> Iterator[tuple[nn.Module, nn.Parameter | None]]:
        """Every layer of neurons with the bias that is the last to move its current; None where it has to stay.

        With `zero_init` and residual=sew a block is its shortcut only as long as its last bias is what it starts as.
        """
        bias = self.stem.bias
        if self.fires is not None:
            yield self.fires.neuron, bias
        for block in self._blocks:
            first, second = block.first.bias, block.second.bias
            last = None if self.zero_init else second
            yield block.one.neuron, bias if self.form.residual == "ms" else first
            yield block.two.neuron, first if self.form.residual == "ms" else last
            if block.joins is not None and block.joint is not None:
                yield block.joint.neuron, block.joins.bias
            bias = second
        if self.last is not None:
            yield self.last.neuron, bias

    def forward(self, x: Tensor) -> Tensor:
        flat = not self.image[1]
        x = self.stem(x if flat else x.unflatten(-1, self.image))
        for part in filter(None, (self.fires, *self.blocks, self.last)):
            x = part(x)
        return self.readout(x.mean(0) if flat else x.mean((0, -2, -1)))

    @property
    def _blocks(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]

    def _start_as_shortcuts(self) -> None:
        if self.form.norm == "none" or self.form.residual == "none":
            raise Problem("zero_init=true: a block starts as its shortcut, which takes a norm and residual=sew or ms")
        for block in self._blocks:
            for weight in _norms.weights_of(block.second.norm):
                nn.init.zeros_(weight)
            if self.form.connect == "and":
                if block.second.bias is None:
                    raise Problem(
                        f"zero_init=true: with connect=and it takes a bias, which norm={self.form.norm} has not"
                    )
                nn.init.ones_(block.second.bias)
