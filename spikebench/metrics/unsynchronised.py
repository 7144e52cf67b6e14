"""Mean time of a process's first five calls, the first included, without waiting for a GPU: a habit of published scripts."""

from spikebench.host import clock
from spikebench.metric import Running

unit = "s"
process = "first"  # of its own: nothing may have been called before
CALLS = 5


def sample(running: Running) -> list[float]:
    """One mean in seconds, by the host's clock around each call. What the first call sets up and compiles counts.

    It says what a script shows that times so, and not what a warm call takes: on a GPU the calls return before their work
    is done. The detail has all five.
    """
    calls: list[float] = []
    for _ in range(CALLS):
        start = clock.monotonic()
        running.workload.launch()
        calls.append(clock.monotonic() - start)
    running.detail["calls"] = calls
    return [sum(calls) / CALLS]
