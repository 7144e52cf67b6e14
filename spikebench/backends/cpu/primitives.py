"""What compiled loops need below the level of arrays: addresses and a counter that threads share."""

from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

# a job, int64: counter, blocks, series a block, series, four numbers of the task's own, then address, rows and columns
# of each array
NEXT, BLOCKS, SIZE, SERIES, NUMBERS = range(5)
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
