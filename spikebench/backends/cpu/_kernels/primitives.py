"""What compiled loops need below the level of arrays: addresses, a counter that threads share, ways around the caches."""

from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import carray

# a job, int64: counter, blocks, series a block, series, whether rows go past the caches, four numbers of the task's own,
# then address, rows and columns of each array
NEXT, BLOCKS, SIZE, SERIES, STREAMING, NUMBERS = range(6)
ARRAYS = NUMBERS + 4

LINE = 64  # bytes of a cache line
PIECE = 256  # series whose next step is asked for at once: as many lines as a core waits for
PAD = 80  # numbers between rows of a work array: rows at a power of two apart would share their place in the cache

# 1/0 is infinite here: an exception would keep a loop from being vectorised. Nothing is called from Python but a task
OPTIONS: Any = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
compiled = cast(Any, njit)(**OPTIONS)
# the same inline, for passes over time: there a call for every few hundred series costs a tenth of the time
inlined = cast(Any, njit)(**OPTIONS, forceinline=True)
# and pasted in before it has types, so that it is no function to compile: what calls loops and has none of its own
pasted = cast(Any, njit)(**OPTIONS, inline="always")
# and it may contract to fused multiply-adds: backward passes, which have no bits to keep
contracted = cast(Any, njit)(**OPTIONS, forceinline=True, fastmath={"contract"})
primitive = cast(Any, intrinsic)  # callers leave out the first argument, which its types do not say


@compiled
def numbers(data: Any, arrays: int) -> np.ndarray:
    """The job at an address, which has so many arrays."""
    return carray(data, ARRAYS + 3 * arrays, np.int64)


@compiled
def array(job: np.ndarray, k: int, dtype: Any) -> np.ndarray:
    """Array number k of a job, from its address, rows and columns."""
    at = ARRAYS + 3 * k
    return carray(_pointer(job[at]), (job[at + 1], job[at + 2]), dtype)


@inlined
def bare(work: np.ndarray) -> np.ndarray:
    """An array that an argument owns, without a count of its users.

    Counts are kept by atomic operations, each of which would wait for all rows on their way to memory.
    """
    return carray(_pointer(work.ctypes.data), work.shape, work.dtype)


@inlined
def lined(work: np.ndarray) -> np.ndarray:
    """`bare`, with every row but the last at the start of a cache line; for rows of whole lines, PAD included."""
    start = work.ctypes.data
    return carray(_pointer(start + -start % LINE), (work.shape[0] - 1, work.shape[1]), work.dtype)


@primitive
def row(typing: Any, array: Any, t: Any, lo: Any, hi: Any) -> Any:
    """array[t, lo:hi] of an array [T, M] that nobody counts, for bounds within it: a slice would check and clip them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        given, t, lo, hi = args
        given = context.make_array(signature.args[0])(context, builder, given)
        made = context.make_array(signature.return_type)(context, builder)
        start = builder.add(builder.mul(t, builder.extract_value(given.shape, 1)), lo)
        populate_array(
            made,
            data=builder.gep(given.data, [start]),
            shape=[builder.sub(hi, lo)],
            strides=[given.itemsize],
            itemsize=given.itemsize,
            meminfo=None,
        )
        return made._getvalue()

    whole = isinstance(array, types.Array) and array.ndim == 2 and array.is_c_contig
    return (array.copy(ndim=1)(array, types.intp, types.intp, types.intp), generate) if whole else None


@inlined
def prefetch(a: np.ndarray, t: int, lo: int, hi: int) -> None:
    """Asks the memory for step t, if there is one. A thread's part of a row ends where the hardware stops guessing."""
    if 0 <= t < a.shape[0]:
        _ask(row(a, t, lo, hi))


@primitive
def _ask(typing: Any, row: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row = context.make_array(signature.args[0])(context, builder, args[0])
        size, line = builder.extract_value(row.shape, 0), LINE // context.get_abi_sizeof(row.data.type.pointee)
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(line), inc=True) as (at, _):
            ask(builder, builder.gep(row.data, [at]))
        return context.get_dummy_value()

    return types.none(row), generate


def ask(builder: Any, address: Any) -> None:
    """Writes the instruction that asks the memory for a line."""
    number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    asked = number(0), number(2), number(1)  # to read, into the second level, as data
    builder.call(prefetch, [builder.bitcast(address, pointer), *asked])


@primitive
def stream(typing: Any, source: Any, target: Any) -> Any:
    """Copies a row of whole cache lines to memory past the caches, which saves reading what it overwrites.

    Such writes are seen by another thread after the next atomic operation: `take`, which ends every block.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (
            context.make_array(kind)(context, builder, value) for kind, value in zip(signature.args, args, strict=True)
        )
        item = source.data.type.pointee
        lanes = LINE // context.get_abi_sizeof(item)
        size, whole = builder.extract_value(source.shape, 0), ir.VectorType(item, lanes).as_pointer()
        once = builder.module.add_metadata([ir.IntType(32)(1)])
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(lanes), inc=True) as (at, _):
            line = builder.load(builder.bitcast(builder.gep(source.data, [at]), whole), align=LINE // lanes)
            written = builder.store(line, builder.bitcast(builder.gep(target.data, [at]), whole), align=LINE)
            written.set_metadata("nontemporal", once)
        return context.get_dummy_value()

    return types.none(source, target), generate


@inlined
def keep(source: np.ndarray, target: np.ndarray, streaming: bool) -> None:
    """Copies a row, past the caches if `streaming`."""
    if streaming:
        stream(source, target)
    else:
        copy(source, target)


@primitive
def copy(typing: Any, source: Any, target: Any) -> Any:
    """Copies a row to another of its size. Numba's own assignment is compiled with the message for rows that differ in it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (
            context.make_array(kind)(context, builder, value) for kind, value in zip(signature.args, args, strict=True)
        )
        cgutils.memcpy(builder, target.data, source.data, source.nitems)
        return context.get_dummy_value()

    return (types.none(source, target), generate) if source == target and source.is_c_contig else None


@primitive
def clear(typing: Any, array: Any) -> Any:
    """Sets all of an array to 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        size = context.get_constant(types.intp, context.get_abi_sizeof(array.data.type.pointee))
        cgutils.memset(builder, array.data, builder.mul(size, array.nitems), 0)
        return context.get_dummy_value()

    return (types.none(array), generate) if array.is_c_contig else None


@primitive
def take(typing: Any, job: Any) -> Any:
    """The next number of the counter job[NEXT], a different one for each caller."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        counter = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", counter, ir.IntType(64)(1), "seq_cst")

    return types.int64(job), generate


@primitive
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(address), generate
