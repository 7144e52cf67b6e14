"""Names that one run at a time has on this machine: a case that it measures, a core that it uses."""

import fcntl
import hashlib
import os
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

MEMORY = Path("/dev/shm")  # the same for every run of a user, whatever its TMPDIR is, and it does not disappear


class Locks:
    """What this run has taken. The system gives it back when the process ends, however it ends."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None

    def take(self, name: str) -> bool:
        """Take a name; False if another run has it. Where the system has no such locks, every name is free."""
        try:
            if self._file is None:
                usual = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
                path = (self._folder or usual) / f"spikebench-{os.getuid()}.lock"
                self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b")
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _byte(name, fcntl.F_WRLCK))
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def give_back(self, name: str) -> None:
        """Give a name back."""
        if self._file is not None:
            with suppress(OSError):
                fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _byte(name, fcntl.F_UNLCK))

    def close(self) -> None:
        """Give everything back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _byte(name: str, kind: int) -> bytes:
    """The byte of the file that stands for a name."""
    where = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest())
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, where, 1, 0)
