"""What no measurement can be: faster than memory moves what must move, or smaller than what it gives."""

from collections.abc import Sequence

from spikebench import units
from spikebench.analysis import stats
from spikebench.cases.case import Case, Layer
from spikebench.records.record import Measurement

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
LEAST = 0.4  # of the time of copies: stores past the caches save them a third of their traffic, and clocks differ
PAGES, SMALLEST = 2**20, 2**22  # bytes by which a high-water mark may be off, and of an output from which on it tells


def impossible(case: Case, measurements: Sequence[Measurement]) -> str | None:
    """Why what was measured of a layer cannot be, with the arithmetic; None if it can.

    A launch reads its input and writes its output; a training step also reads a gradient and writes one. It cannot take
    less than LEAST of the time in which the same process copied as many bytes, with the caches in the same state. Nor can
    it do without memory for its output, which is held by the one who asked for it.
    """
    if not isinstance(case, Layer) or case.mode == "stream":
        return None
    found = {m.metric: m for m in measurements if m.samples}
    size = case.T * case.B * case.N * BYTES[case.dtype]
    return _too_fast(case, size, found) or _too_small(size, found.get("peak_memory"))


def _too_fast(case: Layer, size: int, found: dict[str, Measurement]) -> str | None:
    copies = 2 if case.mode == "train" else 1
    alone = found["latency"].told.get("copied") if "latency" in found else None
    if not isinstance(alone, float):
        return None
    for metric in ("latency", "device_time"):
        time = stats.median(found[metric].samples) if metric in found else float("inf")
        if time < LEAST * copies * alone:
            moved, took, copied = (
                units.show(v, u) for v, u in ((2 * copies * size, "B"), (time, "s"), (copies * alone, "s"))
            )
            return f"{metric} of {took}: {moved} must move, which copies alone take {copied} for, and {LEAST:g} of that is the least"
    return None


def _too_small(size: int, peak: Measurement | None) -> str | None:
    if peak is None or size < SMALLEST or max(peak.samples) >= 0.9 * size - PAGES:
        return None
    return f"peak_memory of {units.show(max(peak.samples), 'B')}: the output alone has {units.show(size, 'B')}"
