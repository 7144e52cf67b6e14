"""Cases measured by Parsl's workers: many GPUs or nodes, one exclusive accelerator for each measurement."""

import os
import runpy
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.host import clock
from spikebench.records.record import Record
from spikebench.run import assemble
from spikebench.run.executor import Repeat
from spikebench.run.session import Session
from spikebench.run.settings import Settings

RETRIES = 2
# Parsl's interchange would outlive a run that is killed, and its workers with it
INTERCHANGE = (
    "import ctypes, runpy, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


class Flaky(RuntimeError):
    """A measurement that failed; it is tried again, and its record stands if it fails every time."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.record = record


class Cluster:
    """The executor `parsl`. `config` is a Python file with a parsl Config named `config`, for Slurm, Kubernetes and so on.

    Without one, this machine measures with a worker for each of `accelerators`, which its worker sees alone in
    CUDA_VISIBLE_DEVICES. What fails is tried again twice; a case whose worker dies every time is `lost`.
    """

    anywhere = True

    def __init__(self, settings: Settings, accelerators: Sequence[str] = ("0",), config: Path | None = None) -> None:
        if find_spec("parsl") is None:
            raise Problem("--executor parsl needs parsl: pip install 'spikebench[cluster]'")
        import parsl  # pyright: ignore[reportMissingImports]  # the extra cluster

        self._settings, self._jobs = settings.to_json(), dict[Future[Any], Repeat]()
        self._folder = tempfile.TemporaryDirectory(prefix="spikebench-parsl-", ignore_cleanup_errors=True)
        made = runpy.run_path(str(config))["config"] if config else _here(accelerators, self._folder.name)
        self._kernel = parsl.load(made)
        self._app = parsl.python_app(measure, data_flow_kernel=self._kernel)

    def submit(self, case: Case, repeat: int) -> None:
        self._jobs[self._app(self._settings, case, repeat, str(Path.cwd()))] = (case, repeat)

    def as_completed(self) -> Iterator[tuple[Repeat, Record]]:
        for future in as_completed(self._jobs):
            yield self._jobs[future], _record(future, *self._jobs[future])

    def close(self) -> None:
        self._kernel.cleanup()
        self._folder.cleanup()


def measure(settings: str, case: Case, repeat: int, folder: str) -> Record:
    """One case in a Parsl worker, as a record with where and when; raises Flaky where it failed.

    `folder` is the one that relative paths of subjects start from.
    """
    os.chdir(folder)
    started = clock.wall()
    record = _session(settings).measure(case, repeat)
    where = {"started": started, "ended": clock.wall(), "accelerator": os.environ.get("CUDA_VISIBLE_DEVICES")}
    found = replace(record, environment=record.environment | where)
    if record.status == "failed":
        raise Flaky(found)
    return found


@lru_cache(maxsize=1)
def _session(settings: str) -> Session:
    """The session of this worker process, which ends with it."""
    return Session(Settings.from_json(settings))


def _record(future: "Future[Any]", case: Case, repeat: int) -> Record:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Flaky):
        return error.record
    reason = f"the worker was lost {RETRIES + 1} times: {type(error).__name__}: {str(error)[:300]}"
    return replace(assemble.head("lost", case, repeat, None), status="lost", reason=reason)


def _here(accelerators: Sequence[str], folder: str) -> Any:
    """This machine alone: a block with one worker for each accelerator."""
    from parsl.config import Config  # pyright: ignore[reportMissingImports]
    from parsl.executors import HighThroughputExecutor  # pyright: ignore[reportMissingImports]
    from parsl.providers import LocalProvider  # pyright: ignore[reportMissingImports]

    programs, package = Path(sys.executable).parent, Path(__file__).parents[2]
    start = [sys.executable, "-c", INTERCHANGE, str(programs / "interchange.py")]
    paths = f'export PATH="{programs}:$PATH" PYTHONPATH="{package}:$PYTHONPATH"'
    executor = HighThroughputExecutor(
        label="spikebench",
        address="127.0.0.1",
        available_accelerators=list(accelerators),
        max_workers_per_node=len(accelerators),
        interchange_launch_cmd=start,
        heartbeat_period=2,
        heartbeat_threshold=10,
        provider=LocalProvider(init_blocks=1, max_blocks=1, worker_init=paths),
    )
    return Config(executors=[executor], retries=RETRIES, run_dir=folder, usage_tracking=0)
