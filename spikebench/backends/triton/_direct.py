"""Launching a compiled kernel again without triton's bookkeeping: what its launch depends on is compared, and no more.

`kernel[grid](…)` binds, types and hashes every argument of every launch, which takes the host longer than a small kernel
takes the device. Triton compiles one binary for each combination of constants, dtypes, addresses divisible by 16 and
integers that are 1, divisible by 16 or wider than 32 bits. The key here is finer than that: it holds the integers
themselves. So one key never stands for two binaries, and what has no key yet is launched by triton, which also checks it.
"""

from collections.abc import Callable
from operator import itemgetter
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
    """One kernel's launches on the current device, by triton's active driver, and its current stream."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        params = kernel.params
        names = [p.name for p in params]
        self._count, self._pick = len(names), itemgetter(*names)
        # constants count by value, and so do integers with a written type that triton may specialise
        typed = [p for p in params if not p.is_constexpr and p.annotation_type]
        counted = [p for p in typed if p.annotation_type[:2] not in ("fp", "bf") and not p.do_not_specialize]
        constant = {p.num for p in params if p.is_constexpr} | {p.num for p in counted}
        self._constant = tuple(sorted(constant))
        self._open = tuple(p.num for p in params if not p.is_constexpr and not p.annotation_type)
        self._known: dict[tuple[Any, ...], Known] = {}

    def __call__(self, active: Any, device: int, grid: tuple[int, ...], warps: int, arguments: Arguments) -> None:
        if len(arguments) != self._count or HOOKS.launch_enter_hook.calls or HOOKS.launch_exit_hook.calls:
            self._kernel[grid](**arguments, num_warps=warps)
            return
        values = list(self._pick(arguments))
        key: list[Any] = [warps, device, *[values[n] for n in self._constant]]
        for n in self._open:
            value = values[n]
            if isinstance(value, Tensor):
                values[n] = address = value.data_ptr()
                key += (value.dtype, address % 16 == 0, value.get_device())
            else:
                key += (type(value), None if isinstance(value, float) else value)
        known = self._known.get(found := tuple(key))
        if known is None:
            self._first(found, grid, warps, arguments)
            return
        run, function, metadata = known
        y, z = grid[1] if len(grid) > 1 else 1, grid[2] if len(grid) > 2 else 1
        run(grid[0], y, z, active.get_current_stream(device), function, metadata, None, None, None, *values)

    def _first(self, key: tuple[Any, ...], grid: tuple[int, ...], warps: int, arguments: Arguments) -> None:
        """Let triton compile and launch, and keep what it launched if all tensors are where a kernel reaches them."""
        made = self._kernel[grid](**arguments, num_warps=warps)
        if len({v.get_device() for v in arguments.values() if isinstance(v, Tensor)}) > 1:
            return  # triton looks at each address, and says which one is not on the device
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = (made.run, made.function, made.packed_metadata)


_direct: dict[int, Direct] = {}


def of(kernel: Any) -> Direct | None:
    """The direct launches of a kernel; None where triton does not compile it, as in its interpreter."""
    found = _direct.get(id(kernel))
    if found is None and isinstance(kernel, JITFunction):
        found = _direct[id(kernel)] = Direct(kernel)  # it holds the kernel, so that the id stays its own
    return found
