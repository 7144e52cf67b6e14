"""Launching a compiled kernel again without triton's bookkeeping: what its launch depends on is compared, and no more.

`kernel[grid](…)` binds, types and hashes every argument of every launch, which takes the host longer than a small kernel
takes the device. Triton compiles one binary for each combination of constants, dtypes, addresses divisible by 16 and
integers that are 1, divisible by 16 or wider than 32 bits. The key here is finer than that: it holds the integers
themselves. So one key never stands for two binaries, and what has no key yet is launched by triton, which also checks it.
"""

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.jit import JITFunction

MOST = 4096  # launches of one kernel that are known; M and the like may vary for ever
HOOKS = triton.knobs.runtime  # of a profiler: while there are any, triton launches

Argument = Tensor | float | str | tl.dtype | JITFunction[Any] | None  # what a kernel takes; None: not there
Arguments = dict[str, Argument]  # by the names that a kernel gives them
Known = tuple[Callable[..., None], Any, Any]  # the launcher that triton made for a binary, the function, its metadata


class Direct:
    """One kernel's launches on the current device, by triton's active driver, and its current stream.

    fixed: the arguments that are the same in every launch, and none of them a tensor; a launch is given the others.
    """

    def __init__(self, kernel: Any, warps: int, fixed: Arguments) -> None:
        self._kernel, self._warps, self._fixed = kernel, warps, fixed
        self._values = [fixed.get(p.name) for p in kernel.params]
        self._places = {p.name: p.num for p in kernel.params if p.name not in fixed}
        typed = [p for p in kernel.params if not p.is_constexpr and p.annotation_type]
        counted = [p for p in typed if p.annotation_type[:2] not in ("fp", "bf") and not p.do_not_specialize]
        # constants count by value, and so do integers with a written type that triton may specialise
        self._counted = {p.num for p in kernel.params if p.is_constexpr} | {p.num for p in counted}
        self._free = {p.num for p in typed} - self._counted  # numbers that no binary depends on
        self._known: dict[tuple[Any, ...], Known] = {}

    def __call__(self, active: Any, device: int, grid: tuple[int, ...], given: Arguments) -> None:
        if len(given) != len(self._places) or HOOKS.launch_enter_hook.calls or HOOKS.launch_exit_hook.calls:
            self._kernel[grid](**self._fixed, **given, num_warps=self._warps)
            return
        values, places, free = self._values.copy(), self._places, self._free
        key: list[Any] = [device]
        for name, value in given.items():
            place = places[name]
            if value is None:
                continue  # what is not there is not in the key
            if value.__class__ is int and place in free:
                values[place] = value
                continue
            if isinstance(value, Tensor):
                values[place] = address = value.data_ptr()
                key += (~place if address & 15 else place, value.dtype, value.get_device())
                continue
            values[place] = value
            if place in self._counted:
                key += (place, value)
            elif place not in free:
                key += (place, type(value), None if isinstance(value, float) else value)
        known = self._known.get(found := tuple(key))
        if known is None:
            self._first(found, grid, given)
            return
        run, function, metadata = known
        y, z = grid[1] if len(grid) > 1 else 1, grid[2] if len(grid) > 2 else 1
        run(grid[0], y, z, active.get_current_stream(device), function, metadata, None, None, None, *values)

    def _first(self, key: tuple[Any, ...], grid: tuple[int, ...], given: Arguments) -> None:
        """Let triton compile and launch, and keep what it launched if all tensors are where a kernel reaches them."""
        made = self._kernel[grid](**self._fixed, **given, num_warps=self._warps)
        if len({v.get_device() for v in given.values() if isinstance(v, Tensor)}) > 1:
            return  # triton looks at each address, and says which one is not on the device
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = (made.run, made.function, made.packed_metadata)


_direct: dict[tuple[int, int], Direct] = {}


def of(kernel: Any, warps: int) -> Direct | None:
    """The direct launches of a kernel, nothing fixed; None where triton does not compile it, as in its interpreter."""
    found = _direct.get((id(kernel), warps))
    if found is None and isinstance(kernel, JITFunction):
        found = _direct[id(kernel), warps] = Direct(
            kernel, warps, {}
        )  # it holds the kernel, so that the id stays its own
    return found
