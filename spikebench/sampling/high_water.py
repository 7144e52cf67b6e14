"""The high-water mark of this process, which the system keeps: bytes that it held at most since the mark was reset."""

import ctypes
import gc
import re
from pathlib import Path

from spikebench.metric import Unavailable

MARK = Path("/proc/self/clear_refs")


def status(key: str) -> int:
    """Bytes of a line in /proc/self/status."""
    found = re.search(rf"{key}:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    if found is None:
        raise Unavailable(f"/proc/self/status has no {key}")
    return int(found.group(1)) * 1024


def reset() -> int:
    """Give back what is free, reset the mark and the notes of used pages, and say what is held now, in bytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    try:
        MARK.write_text("1", encoding="utf-8")
        MARK.write_text("5", encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"the high-water mark cannot be reset here ({error.strerror})") from error
    return status("VmRSS")
