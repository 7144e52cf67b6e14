"""Interleaves processes that measure side by side, so that what slows the machine for a while slows them all."""

import threading

from spikebench.host import clock


class Interleaving:
    """Interleaves processes that measure side by side: one takes a sample while the others wait, in a fixed order."""

    def __init__(self, count: int) -> None:
        self._changed = threading.Condition()
        self._here, self._now, self._taken = list(range(count)), 0, False

    def wait(self, who: int) -> float:
        """Pass the turn on if it is one's own, and wait until it comes back: after so many seconds."""
        start = clock.monotonic()
        with self._changed:
            if self._now == who and self._taken:
                self._pass()
            self._changed.wait_for(lambda: self._now == who)
            self._taken = True
        return clock.monotonic() - start

    def leave(self, who: int) -> None:
        """From now on the others are interleaved without this one."""
        with self._changed:
            if self._now == who:
                self._pass()
            self._here.remove(who)

    def _pass(self) -> None:
        self._now, self._taken = self._here[(self._here.index(self._now) + 1) % len(self._here)], False
        self._changed.notify_all()
