"""New values for a tensor that stays where it is, so that no launch that is timed can know its input from before."""

import itertools
from hashlib import blake2b
from math import sqrt

import torch
from torch import Tensor

FEW = 2**14  # values that are drawn one by one
LONGEST = 2**24  # values of which the rest are mixed


class Renewal:
    """Gaussian values with a mean and a spread, written into a tensor again and again; a seed of some bytes names them.

    Up to FEW values are drawn. More are mixed, in one pass over memory: each is the sum of two of a fixed set, and the
    seed says where the two stand. So they have the same distribution, and no series of values comes twice.
    """

    def __init__(self, like: Tensor, mean: float, spread: float) -> None:
        """`like` holds independent values of that distribution, of which a copy is kept."""
        self.count, self.mean, self.spread = like.numel(), mean, spread
        self._base = like.new_empty(0)
        if self.count > FEW:
            few = like.detach().flatten()[:LONGEST]
            self._base = few.sub(mean).mul_(sqrt(0.5)).add_(mean / 2)

    def write(self, into: Tensor, seed: bytes) -> None:
        """Write the values that `seed` names into a contiguous tensor."""
        flat, base = into.detach().view(-1), self._base
        if not len(base):
            flat.copy_(self._drawn(seed, flat.dtype))
            return
        for number, part in enumerate(flat.split(len(base))):
            first, second = _offsets(seed, number, len(base))
            ends = sorted({0, len(part), *(e for o in (first, second) if (e := len(base) - o) < len(part))})
            for start, end in itertools.pairwise(ends):
                one, other = (start + first) % len(base), (start + second) % len(base)
                long = end - start
                torch.add(base[one : one + long], base[other : other + long], out=part[start:end])

    def at(self, places: Tensor, seed: bytes) -> Tensor:
        """What `write` writes at these flat positions (int64, any shape)."""
        base = self._base
        if not len(base):
            return self._drawn(seed, base.dtype).to(base.device)[places]
        if self.count <= len(base):
            return torch.add(*(base[(places + offset) % len(base)] for offset in _offsets(seed, 0, len(base))))
        made = torch.empty(places.shape, dtype=base.dtype, device=base.device)
        for number in range(-(-self.count // len(base))):
            first, second = _offsets(seed, number, len(base))
            here = places // len(base) == number
            inside = places[here] % len(base)
            made[here] = torch.add(base[(inside + first) % len(base)], base[(inside + second) % len(base)])
        return made

    def _drawn(self, seed: bytes, dtype: torch.dtype) -> Tensor:
        generator = torch.Generator().manual_seed(int.from_bytes(seed[:7], "little"))
        return torch.randn(self.count, generator=generator).mul_(self.spread).add_(self.mean).to(dtype)


class Rolled:
    """The values of a tensor in another place along every axis, written again and again; a seed of some bytes names them.

    The inputs of networks are independent along every axis (events, grey values, tokens), so that a shift is another
    input of the same kind. Whole numbers are labels: they are drawn anew.
    """

    def __init__(self, like: Tensor, classes: int = 0) -> None:
        """`like` holds values of that kind, of which a copy is kept; labels are below `classes`."""
        self.base, self._classes = like.detach().clone(), classes

    def write(self, into: Tensor, seed: bytes) -> None:
        """Write the values that `seed` names into a tensor of the same shape."""
        if self._classes:
            generator = torch.Generator().manual_seed(int.from_bytes(seed[:7], "little"))
            into.detach().copy_(torch.randint(self._classes, into.shape, generator=generator))
            return
        halves = [_halves(_drawn(seed, axis) % size, size) for axis, size in enumerate(into.shape)]
        for parts in itertools.product(*halves):
            into.detach()[tuple(to for to, _ in parts)] = self.base[tuple(of for _, of in parts)]


def _halves(shift: int, size: int) -> list[tuple[slice, slice]]:
    """Where the two parts of an axis go that is shifted, and where they are."""
    return [(slice(shift, size), slice(0, size - shift)), (slice(0, shift), slice(size - shift, size))]


def _drawn(seed: bytes, number: int) -> int:
    return int.from_bytes(blake2b(seed + number.to_bytes(4, "little"), digest_size=8).digest(), "little")


def _offsets(seed: bytes, number: int, count: int) -> tuple[int, int]:
    """Where the two values stand of which the first value of a part is made, apart from each other."""
    drawn = blake2b(seed + number.to_bytes(4, "little"), digest_size=16).digest()
    first, apart = int.from_bytes(drawn[:8], "little") % count, 1 + int.from_bytes(drawn[8:], "little") % (count - 1)
    return first, (first + apart) % count
