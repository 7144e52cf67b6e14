"""How this process gets memory and gives it back: what malloc keeps, and how much there may be. Linux and glibc."""

import ctypes
import resource
from pathlib import Path

PR_SET_THP_DISABLE = 41
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4


def limit(bytes_: int | None) -> None:
    """At most this much more address space than the process has now."""
    if bytes_ is not None:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        top = pages * resource.getpagesize() + bytes_
        resource.setrlimit(resource.RLIMIT_AS, (top, top))


def keep_memory() -> None:
    """Let malloc keep what is freed: fresh pages would cost more than many kernels. glibc only."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def return_memory() -> None:
    """Let malloc return every freed tensor at once, in small pages, so that a high-water mark means what it says. glibc only."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, 64 * 2**10)
        libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
