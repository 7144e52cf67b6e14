"""Several runs that resume one file share its cases: what another run measures at this time is not measured twice."""

from collections.abc import Callable, Collection

from spikebench.analysis.select import Key
from spikebench.records.result_file import ResultFile
from spikebench.run.executor import Repeat

WAIT = 1.0  # seconds until a run asks again for what another one measures


class Shared:
    """The cases that are left to a run. `done` gives those that the file has, and is asked when a case was waited for.

    Without a file, or where `alone`, every case is measured whatever others do; yet others see which one it is.
    """

    def __init__(self, file: ResultFile | None, done: Callable[[], Collection[Key]], origin: str, alone: bool) -> None:
        self._file, self._done, self._origin, self._alone = file, done, origin, alone
        self._size = self._read = -1

    def next(self, left: list[Repeat]) -> Repeat | None:
        """The next case, which this run takes; what others have recorded leaves the list. None if others have all of it."""
        for job in list(left):
            if self._file is None or self._file.take(self._name(job)) or self._alone:
                if self._alone or (job[0].case_id, job[1]) not in self._recorded():
                    return job
                left.remove(job)
                self.over(job)
        return None

    def over(self, job: Repeat) -> None:
        """A case is recorded, and may be had by others."""
        if self._file is not None:
            self._file.give_back(self._name(job))

    def _name(self, job: Repeat) -> str:
        return f"{self._origin} {job[0].case_id} {job[1]}"

    def _recorded(self) -> Collection[Key]:
        """What the file has, read again if it has grown."""
        path = self._file.path if self._file else None
        size = path.stat().st_size if path is not None and path.exists() else 0
        if size != self._size:
            self._size, self._known = size, self._done()
        return self._known
