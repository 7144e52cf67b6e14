"""What a job prints: the last of it is kept and the rest counted, so that no job can fill the disk or the memory."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

KEPT = 2**20  # bytes


class Printed:
    """The end of what a job writes into a named pipe, which it opens as it would a file. The parent reads while it waits."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        self.path, self.count, self._end = path, 0, bytearray()
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # also for writing, so that it never seems to have ended
        with suppress(OSError):
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, KEPT)

    def fileno(self) -> int:
        """The pipe, for a selector."""
        return self._pipe

    def take(self) -> None:
        """Read what is in the pipe now."""
        with suppress(BlockingIOError):
            data = os.read(self._pipe, KEPT)
            self.count += len(data)
            self._end += data
            if len(self._end) > 2 * KEPT:
                del self._end[:-KEPT]

    def text(self, size: int = 4000) -> str:
        """The last so many bytes, of at most KEPT."""
        return bytes(self._end[-min(size, KEPT) :]).decode(errors="replace")

    def close(self) -> None:
        """Read what is left and remove the pipe."""
        self.take()
        os.close(self._pipe)
        self.path.unlink(missing_ok=True)
