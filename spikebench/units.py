"""Numbers with units as short text, and back. Everywhere else values are in SI units; only here there are ms and MiB."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, SupportsFloat

WIDE = 10  # the factor beyond which the ends of an interval are not printed beside a value
_SMALL = [(1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")]
_LARGE = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
_BINARY = [(2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, "")]


def show(value: float | None, unit: str = "") -> str:
    """Three significant digits with a prefix: (0.0013, "s") → "1.30 ms", (3e6, "B") → "2.86 MiB", (0.05, "1") → "0.0500"."""
    if value is None or math.isnan(value):
        return "—"
    if math.isinf(value) or value == 0 or unit in ("", "1"):
        return f"{digits(value)} {unit if unit != '1' else ''}".strip()
    scales = _BINARY if unit == "B" else _SMALL if unit == "s" else [*_LARGE, *_SMALL]
    scale, prefix = next(((s, p) for s, p in scales if abs(value) >= s), scales[-1])
    return f"{digits(value / scale)} {prefix}{unit}"


def between(value: float, low: float | None, high: float | None, unit: str) -> str:
    """A value with the ends of its interval in the same unit: "1.30 ms [1.25, 1.36]"; the value alone without an interval.

    Of an interval whose ends differ by more than a factor WIDE nothing else is said.
    """
    if low is None or high is None or not value > 0:
        return show(value, unit)
    if not high < WIDE * low:
        return f"{show(value, unit)} [over {WIDE}x wide]"
    scales = _BINARY if unit == "B" else _SMALL if unit == "s" else [(1.0, "")]
    scale = next((s for s, _ in scales if value >= s), scales[-1][0])
    return f"{show(value, unit)} [{digits(low / scale)}, {digits(high / scale)}]"


def duration(seconds: float) -> str:
    """How long something takes, for people: "8 s", "4 min", "1 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h{f' {minutes % 60} min' if minutes % 60 else ''}"


def digits(value: float) -> str:
    """Three significant digits, never in exponent form for ordinary sizes."""
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}" if places < 7 else f"{value:.2e}"


def ratio(estimate: float, low: float, high: float, n: int) -> str:
    """A speed-up with its 95 % interval: "3.42x [3.35, 3.50], n=10"; "3.42x, n=1: no interval" where there is none.

    Two processes may give an interval whose ends say nothing; of one wider than a factor WIDE**3 only that is said.
    """
    if n < 2 or not math.isfinite(high):
        return f"{digits(estimate)}x, n={n}: no interval"
    if not high < WIDE**3 * low:
        return f"{digits(estimate)}x [over {WIDE**3:,}x wide], n={n}"
    return f"{digits(estimate)}x [{digits(low)}, {digits(high)}], n={n}"


def seconds(text: str) -> float:
    """Seconds from "60", "60s", "10m", "1h" or "200ms"; ValueError otherwise."""
    for suffix, scale in (("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * scale
    return float(text)


def size(text: str) -> int:
    """Bytes from "4GB", "512MiB", "1000"; decimal and binary prefixes alike mean what they say; ValueError otherwise."""
    scales = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}
    for suffix, scale in scales.items():
        if text.endswith(suffix):
            return int(float(text.removesuffix(suffix)) * scale)
    return int(text)


# types of options with the interval that their values lie in; a round bracket leaves an end out
Share = Annotated[float, "[0, 1]"]
Inner = Annotated[float, "(0, 1)"]
Positive = Annotated[float, "(0, inf)"]
Count = Annotated[int, "[1, inf)"]
Natural = Annotated[int, "[0, inf)"]


def finite(value: SupportsFloat) -> bool:
    """Whether a number is finite as a float, too: a whole number may be too large for one."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass(frozen=True)
class Interval:
    """Finite numbers between two ends, as text "[0, 1]" or "(0, inf)": an end with a round bracket is left out."""

    text: str
    low: float
    high: float

    @staticmethod
    @lru_cache(maxsize=64)
    def of(text: str) -> "Interval":
        """The interval of a text; ValueError otherwise."""
        if (found := re.fullmatch(r"[\[(]([^,]+), ([^,]+)[\])]", text)) is None:
            raise ValueError(f"{text!r} is not an interval; write [0, 1] or (0, inf)")
        return Interval(text, float(found[1]), float(found[2]))

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.text[0] == "[" else value > self.low
        below = value <= self.high if self.text[-1] == "]" else value < self.high
        return above and below and finite(value)

    def __str__(self) -> str:
        return self.text
