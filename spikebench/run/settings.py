"""How a run measures: what it samples, how often, with which limits, in which interpreters."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from spikebench import registry
from spikebench.cases.arguments import check_fields
from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.units import Count, Positive

DEFAULT_METRICS = ("latency", "compile_time", "copy", "spike_rate", "peak_memory")
Progress = Callable[[str, Case, int, int], None]  # what happened, to which case, how many are done, of how many


@dataclass
class Settings:
    """How a run measures. `budget` bounds the whole run and `timeout` each process, in seconds; `memory_limit` is in bytes.

    A launch that takes longer than `slow` seconds is sampled `fewest` times. Warming up ends after `warmup` seconds.
    """

    metrics: tuple[str, ...] = DEFAULT_METRICS
    samples: Count = 20
    fewest: Count = 5
    slow: Positive = 0.2
    warmup: Annotated[float, "[0, inf)"] = 10.0
    timeout: Positive | None = 300.0
    memory_limit: Count | None = None
    budget: Positive | None = None
    repeats: Annotated[int, "[1, 10000]"] = 1
    threads: Count = field(default_factory=environment.threads)
    fork: bool = True
    processes: Count | None = None  # at most so many for a metric that asks for several
    strict: bool = False  # measure what is unsteady again, at most three times in all, and flag what stays so
    shared: bool = False  # whether others use the machine, too, which every record then says
    kernels: Path | None = None  # folder of kernels that triton has compiled, and compiles into; None: triton's own
    unpickle: bool = False  # whether a subject file.pickle:X may be read, which executes what is in it
    python: dict[str, str] = field(default_factory=dict)  # backend, or foreign file or package → interpreter

    def __post_init__(self) -> None:
        self.metrics = (self.metrics,) if isinstance(self.metrics, str) else self.metrics
        self.kernels = Path(self.kernels) if isinstance(self.kernels, str) else self.kernels
        check_fields(self)
        self.metrics = tuple(registry.find("metrics", m) for m in self.metrics)
        if not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise Problem(f"metrics={list(self.metrics)}: name each metric once, and at least one")

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
