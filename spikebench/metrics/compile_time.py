"""First launch less a warm one: compilation, cache look-ups and first-use set-up, apart from the latency."""

from spikebench.metric import Running, Unavailable

unit = "s"
process = "timing"


def sample(running: Running) -> list[float]:
    """Seconds, one sample per process; caches on disk are as the machine has them."""
    if running.first_call is None:
        raise Unavailable("the first launch was not timed in this process")
    warm = running.medians.get("latency") or running.clock.measure(running.workload.launch)
    return [max(0.0, running.first_call - warm)]
