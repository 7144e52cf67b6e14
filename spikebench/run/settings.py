"""How a run measures: what it samples, how often, with which limits, in which interpreters."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spikebench import registry
from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.host import environment

DEFAULT_METRICS = ("latency", "compile_time", "copy", "spike_rate", "peak_memory")
Progress = Callable[[str, Case, int, int], None]  # what happened, to which case, how many are done, of how many


@dataclass
class Settings:
    """How a run measures. `budget` bounds the whole run and `timeout` each process, in seconds; `memory_limit` is in bytes.

    A launch that takes longer than `slow` seconds is sampled `fewest` times. Warming up ends after `warmup` seconds.
    """

    metrics: tuple[str, ...] = DEFAULT_METRICS
    samples: int = 20
    fewest: int = 5
    slow: float = 0.2
    warmup: float = 10.0
    timeout: float | None = 300.0
    memory_limit: int | None = None
    budget: float | None = None
    repeats: int = 1
    threads: int = field(default_factory=environment.threads)
    fork: bool = True
    processes: int | None = None  # at most so many for a metric that asks for several
    strict: bool = False  # measure what is unsteady again, at most three times in all, and flag what stays so
    kernels: Path | None = None  # folder of kernels that triton has compiled, and compiles into; None: triton's own
    unpickle: bool = False  # whether a subject file.pickle:X may be read, which executes what is in it
    python: dict[str, str] = field(default_factory=dict)  # backend, or foreign file or package → interpreter

    def __post_init__(self) -> None:
        self.metrics = tuple(registry.find("metrics", m) for m in self.metrics)
        if self.samples < 1 or self.repeats < 1:
            raise Problem(f"samples={self.samples}, repeats={self.repeats}: give at least 1 of each")

    def to_json(self) -> str:
        """The settings as text; `from_json` reads it."""
        return json.dumps(asdict(self) | {"kernels": str(self.kernels) if self.kernels else None})

    @staticmethod
    def from_json(text: str) -> "Settings":
        """The settings that were written."""
        read = json.loads(text)
        kernels = Path(read["kernels"]) if read["kernels"] else None
        return Settings(**read | {"metrics": tuple(read["metrics"]), "kernels": kernels})

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of processes: where the compiled kernels of triton are."""
        return {"TRITON_CACHE_DIR": str(self.kernels.resolve())} if self.kernels else {}

    def interpreter(self, case: Case) -> str:
        """The interpreter that a case runs in: that of its backend, or of the file or package of a foreign subject."""
        name = case.parsed.name
        names = (case.parsed.backend, name, name.rpartition(":")[0])
        return next((self.python[n] for n in names if n in self.python), sys.executable)
