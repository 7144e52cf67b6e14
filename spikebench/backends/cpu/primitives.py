"""What compiled loops need below the level of arrays: addresses, a shared counter, and control over the caches."""

from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

# a job, int64: counter, blocks, series a block, series, whether outputs bypass the caches, four numbers of the task's
# own, then address, rows and columns of each array
NEXT, BLOCKS, SIZE, SERIES, BYPASS, NUMBERS = range(6)
ARRAYS = NUMBERS + 4

# 1/0 is infinite here: an exception would keep a loop from being vectorised. Nothing is called from Python but a task
compiled = cast(Any, njit)(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
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


@compiled
def stream(to: np.ndarray, source: np.ndarray) -> None:
    """Copy a row past the caches; `to` is aligned to 64 bytes and as long as a number of cache lines."""
    for at in range(0, to.size, 64 // to.itemsize):
        _stream_line(to, source, at)


@compiled
def fetch(row: np.ndarray) -> None:
    """Start to read a row that will be needed soon."""
    for at in range(0, row.size, 64 // row.itemsize):
        _fetch_line(row, at)


@primitive
def take(typing: Any, job: Any) -> Any:
    """The next number of the counter job[NEXT], a different one for each caller; also completes streamed rows."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _data(context, builder, signature, args, 0), ir.IntType(64)(1), "seq_cst")

    return types.int64(job), generate


@primitive
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(address), generate


@primitive
def _stream_line(typing: Any, to: Any, source: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        line = ir.VectorType(ir.IntType(32), 16).as_pointer()
        target, origin = (
            builder.bitcast(builder.gep(_data(context, builder, signature, args, k), [args[2]]), line) for k in (0, 1)
        )
        store = builder.store(builder.load(origin, align=4), target, align=64)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(to, source, at), generate


@primitive
def _fetch_line(typing: Any, row: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        address = builder.bitcast(builder.gep(_data(context, builder, signature, args, 0), [args[1]]), byte)
        builder.call(prefetch, [address, word(0), word(3), word(1)])  # to read, into every cache, data
        return context.get_dummy_value()

    return types.void(row, at), generate


def _data(context: Any, builder: Any, signature: Any, args: Any, k: int) -> Any:
    return context.make_array(signature.args[k])(context, builder, args[k]).data
