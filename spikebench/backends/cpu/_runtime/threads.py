"""Run a compiled task on PyTorch's own OpenMP threads: a second pool would fight with it for the cores.

GNU OpenMP waits in a busy loop, so that after each operation of PyTorch a pool of numba's own found its cores taken.
"""

import ctypes
import hashlib
import math
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from fcntl import LOCK_EX, flock
from functools import lru_cache
from inspect import getfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from llvmlite.binding import get_host_cpu_name
from numba import cfunc, types
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.cpu._kernels import primitives

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LINE = 16  # series: a cache line of float32, so that no two threads write to the same one
# bytes of an array from which on rows go past the caches. A smaller one is still there when the next kernel reads it: on a
# Xeon (2 MiB of second-level cache a core) Linear + neuron + Linear took 5 % longer past the caches at 1 to 3 MiB, as long
# at 5, and from 8 on as long or up to 6 % less, where the neuron alone takes 1.1 to 2.1 times as long in them. On an EPYC
# (Zen 4, 1 MiB a core) that was up to 3.7 times, and not the same in every process; between Linear layers both were alike
# from 0.75 MiB on
STREAM_FROM = 3 * 2**18 if get_host_cpu_name().startswith("znver") else 6 * 2**20
NARROW = 2048  # series a block then

Task = Callable[[Any, str], Any]


def launch(task: Task, arrays: Sequence[Tensor], *numbers: int, most: int, even: bool = True) -> None:
    """Run a task over all series, in blocks of at most `most`, with torch.get_num_threads() threads.

    Arrays are [rows, ...], which the task sees as [rows, series], contiguous, or empty; the first gives series and dtype.
    Blocks are as many for each thread if `even`, and narrower where rows go past the caches; else of exactly `most` series
    but for the last.
    """
    sizes = [_flat(a) for a in arrays]
    series, threads = sizes[0][1], torch.get_num_threads()
    if series == 0:
        return
    streaming = goes_far(arrays)
    most = min(most, NARROW) if streaming and even else most
    size = -(-series // (threads * -(-series // (threads * most)) * LINE)) * LINE if even else most
    job = array("q", (0, -(-series // size), size, series, streaming, *numbers, *(0,) * (4 - len(numbers))))
    for a, of in zip(arrays, sizes, strict=True):
        job.extend((a.data_ptr(), *of))
    _parallel()(_compiled(task, arrays[0].dtype).address, job.buffer_info()[0], threads, 0)


def _flat(a: Tensor) -> Sequence[int]:
    """Rows and columns of an array [rows, ...]."""
    return a.shape if a.ndim == 2 else (len(a), math.prod(a.shape[1:]))


def goes_far(arrays: Sequence[Tensor]) -> bool:
    """Whether rows go past the caches: the first array does not stay in them, and all rows are whole cache lines."""
    if arrays[0].nbytes < STREAM_FROM or (series := _flat(arrays[0])[1]) % LINE:
        return False
    return all(a.data_ptr() % primitives.LINE == 0 for a in arrays if _flat(a)[1] == series)


def rows(x: Tensor) -> Tensor:
    """x [T, ...] as [T, M]; copied if it is not contiguous."""
    flat = x.detach().contiguous()
    return flat if flat.ndim == 2 else flat.view(len(flat), math.prod(flat.shape[1:]))


def constants(numbers: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Numbers in double precision as a row [1, n] that a kernel of a dtype reads, and nobody writes to: the same ones are one tensor."""
    return _row(numbers.tobytes(), dtype)


@lru_cache(4096)
def _row(numbers: bytes, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(numbers), dtype=torch.float64).to(dtype)[None]


def wide(by: Tensor, x: Tensor) -> Tensor:
    """Rows over the neurons [R, N] as rows over the series of x [T, ..., N]: [R, M], in the dtype of x and without a graph."""
    batch = x.shape[1:-1].numel()
    return by.detach().to(x.dtype)[:, None].expand(-1, batch, -1).reshape(len(by), -1).contiguous()


def by_neuron(sums: Tensor, grad: Tensor) -> Tensor:
    """The way back from `wide`: gradients of rows over the series [R, M], summed for every neuron of grad [T, ..., N]: [R, N]."""
    return sums.view(len(sums), -1, grad.shape[-1]).sum(1).to(grad.dtype)


def size(case: "Case") -> int:
    """Bytes of one row of a case's series times its steps: of its input, its spikes, a gradient."""
    return case.T * case.B * case.N * (8 if case.dtype == "float64" else 4)


def refuse(device: str, dtype: str) -> str | None:
    """Why the cpu backend has no kernel for a device and dtype, or None."""
    if device != "cpu" or dtype not in ("float32", "float64"):
        return f"the cpu backend runs float32 and float64 on a CPU, not {dtype} on {device}"
    if _parallel() is None:
        return "the cpu backend needs a PyTorch that runs on GNU OpenMP, as its Linux wheels do"
    return None


def accept(x: Tensor) -> None:
    """Raises Refused if there is no kernel for x."""
    reason = refuse(x.device.type, str(x.dtype).removeprefix("torch."))
    if reason is not None:
        raise Refused(reason)


def refuse_second_order() -> None:
    """Raises RuntimeError in a backward pass that builds a graph: kernels would count as constants there."""
    if torch.is_grad_enabled():
        raise RuntimeError("the cpu backend has no second derivatives; use eager where create_graph=True")


@lru_cache
def _compiled(task: Task, dtype: torch.dtype) -> Any:
    """A task for float32 or float64, compiled on first use and from then on loaded from disk."""
    real = np.float32 if dtype == torch.float32 else np.float64
    compiling = cfunc(types.void(types.voidptr), cache=True, error_model="numpy")
    with open(getfile(task), "rb") as source:
        with suppress(OSError):  # a file system without locks: then two processes may compile the same
            flock(source, LOCK_EX)  # until it is closed; who waits finds the other's work on disk
        return compiling(task(real, _version()))


@lru_cache
def _version() -> str:
    """A digest of all kernels: numba's disk cache sees the task's own file and closure, not what it calls."""
    sources = sorted((Path(__file__).parents[1] / "_kernels").glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


@lru_cache
def _parallel() -> Any:
    """GOMP_parallel(function, data, threads, flags) of the OpenMP runtime that PyTorch loaded, or None."""
    found = getattr(ctypes.CDLL(None), "GOMP_parallel", None)
    if found is not None:
        found.argtypes, found.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return found
