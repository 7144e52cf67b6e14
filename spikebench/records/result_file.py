"""The result file of one run, which notices what others do to it: nothing that was measured is lost, and nothing is measured twice.

Before every append the lines that this run wrote must still be where they were. If the file vanished, was truncated or
was rewritten, the run says so at once. The lines that are gone, and all that come, then go to a new file beside it.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spikebench.errors import Interrupted, Problem
from spikebench.records import store
from spikebench.records.files import file_to_write
from spikebench.records.locks import MEMORY, Locks
from spikebench.records.record import Record

ROOM = 2**20  # bytes that must be free before the first case

Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Line:
    """A line that this run wrote: where it begins, and its bytes."""

    start: int
    text: bytes


class ResultFile:
    """Where the records of one run go. Raises Problem if nothing could be written there: before the first case, not after it.

    `tell` gets a sentence when something happened to the file. `paths` are the files that records went to, the last of
    which is `path`.
    """

    def __init__(self, path: Path, tell: Tell) -> None:
        self.path, self.paths, self._tell = path, [path], tell
        self._written: dict[Path, list[_Line]] = {path: []}
        self._locks = Locks()
        _writable(path)

    def append(self, record: Record) -> None:
        """Append a record to the file, or to a new one beside it if something happened to this one."""
        self.check()
        self._append(store.line(record))

    def _append(self, text: bytes) -> None:
        try:
            self._written[self.path].append(_Line(store.append_line(self.path, text), text))
        except Problem as problem:
            raise Problem(f"{problem}{self._rescued(text)}") from problem

    def _rescued(self, text: bytes) -> str:
        """Put a line where there is space: nothing that was measured is lost; what to say of that."""
        for folder in dict.fromkeys((tempfile.gettempdir(), str(MEMORY))):
            path = _beside(Path(folder) / f"spikebench-rescued-{os.getpid()}.jsonl")
            try:
                start = store.append_line(path, text)
            except Problem:
                continue
            self.paths.append(path)
            self.path, self._written[path] = path, [_Line(start, text)]
            return f"; the last record is in {path}"
        return ""

    def check(self) -> None:
        """Go on in a new file if what this run wrote is no longer where it was; what is lost is written there again."""
        written = self._written[self.path]
        if (what := _happened(self.path, written)) is None:
            return
        there = _lines(self.path)
        lost = [w.text for w in written if w.text not in there]
        self._written[self.path] = [w for w in written if w.text in there]
        self.path = _beside(self.path)
        self.paths.append(self.path)
        self._written[self.path] = []
        for text in lost:
            self._append(text)
        again = f", with the {len(lost)} records of this run that were lost" if lost else ""
        self._tell(f"{self.paths[-2]} {what}: the rest goes to {self.path}{again}")

    def counts(self) -> dict[Path, int]:
        """How many records of this run are on disk, by file; files without any are left out but for the last."""
        found = {path: sum(w.text in _lines(path) for w in written) for path, written in self._written.items()}
        return {path: n for path, n in found.items() if n or path == self.path}

    @property
    def told(self) -> str:
        """The counts as text: "5 records in r.jsonl", or of several files."""
        return " and ".join(f"{n} record{'s' * (n != 1)} in {path}" for path, n in self.counts().items())

    def take(self, case: str) -> bool:
        """Take a case, so that no other run into this file on this machine measures it; False if another has it."""
        return self._locks.take(f"{self.paths[0].resolve()} {case}")

    def give_back(self, case: str) -> None:
        """Give a case back, which is measured and recorded."""
        self._locks.give_back(f"{self.paths[0].resolve()} {case}")

    def close(self) -> None:
        """Look at the file a last time, and give back every case."""
        self._locks.close()
        self.check()


@contextmanager
def opened(out: str | Path | ResultFile | None, tell: Tell | None = None) -> Iterator[ResultFile | None]:
    """A result file for some work, by its path; one that is open already stays so. Ctrl-C in it says what was kept.

    Without `tell`, what happens to the file is a warning.
    """
    if isinstance(out, ResultFile):
        yield out
        return
    file = ResultFile(Path(out), tell or warnings.warn) if out is not None else None
    try:
        yield file
    except KeyboardInterrupt as stopped:
        if isinstance(stopped, Interrupted):
            raise
        kept = f"kept are {file.told}" if file else "nothing was kept, since no file was named with --out"
        raise Interrupted(f"interrupted; {kept}") from None
    finally:
        if file is not None:
            file.close()


def _writable(path: Path) -> None:
    """Raise Problem unless records can be appended to a file, and there is room for some."""
    file_to_write(path, "--out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("ab"):
                pass
            if not os.access(path.parent, os.W_OK):
                return
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            os.posix_fallocate(probe.fileno(), 0, ROOM)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(f"cannot write {path}: {why}; name another file with --out") from error


def _happened(path: Path, written: list[_Line]) -> str | None:
    """What happened to a file after these lines were written to it; None if they are where they were."""
    if not written:
        return None
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < written[-1].start + len(written[-1].text):
                return "was truncated or replaced"
            for line in written:
                file.seek(line.start)
                if file.read(len(line.text)) != line.text:
                    return "was rewritten"
    except FileNotFoundError:
        return "vanished"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def _lines(path: Path) -> set[bytes]:
    """The lines that are in a file."""
    try:
        with path.open("rb") as file:
            return set(file)
    except OSError:
        return set()


def _beside(path: Path) -> Path:
    """A file of the same name with a number, which is not there yet."""
    number = 2
    while (found := path.with_stem(f"{path.stem}-{number}")).exists():
        number += 1
    return found
