"""Notices a subject that reads a clock while it is checked: what it computes may not depend on the time."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

CLOCKS = ("time", "_datetime", "datetime")  # modules whose functions in C say what the time is
TIMERS = ("record", "elapsed_time")  # of events of a device


@contextmanager
def watched(file: Path) -> Iterator[list[str]]:
    """A list that gets every line of the file from which a clock is read; other files may read it, and do."""
    found: list[str] = []
    own = str(file.resolve())

    def seen(frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call" or frame.f_code.co_filename not in (own, str(file)):
            return
        module, name = getattr(called, "__module__", None), getattr(called, "__qualname__", "")
        owner = type(getattr(called, "__self__", None)).__module__
        if module in CLOCKS or owner in CLOCKS or name.startswith("datetime.") or name.rpartition(".")[2] in TIMERS:
            line = f"{file.name}:{frame.f_lineno} calls {module or 'datetime'}.{name}"
            if line not in found:
                found.append(line)

    threading.setprofile(seen)
    sys.setprofile(seen)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # pyright: ignore[reportArgumentType]  # None takes it away
