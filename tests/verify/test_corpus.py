"""The cheats that change the process they run in, and others once more: each measured as anybody would, in processes of its own.

They are put among the backends of a copy of the package, so that nothing here is special to tests. It takes minutes:
`pytest tests/verify/test_corpus.py --slow`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.record import Record

ROOT = Path(__file__).parents[2]
CHEATS = ROOT / "tests" / "cheats"
SIZES = ["-T", "32", "-B", "2", "-N", "16"]
# backend of lif, mode, sizes, metrics: what the record says, its status or flag and a part of its reason
CORPUS = [
    ("right", "train", SIZES, "latency,peak_memory", "ok", ""),
    ("kept[kind=pointer]", "train", SIZES, "latency", Flag.REPLAYED, ""),
    ("kept[kind=disk]", "inference", SIZES, "latency", "wrong", "a spike differs"),
    ("kept[kind=blind]", "forward", SIZES, "latency", "wrong", "a spike differs"),
    ("kept_gradient", "train", SIZES, "latency", "wrong", "gradient is off"),
    ("kept_gradient[kind=early]", "train", SIZES, "backward", "wrong", "gradient is off"),
    ("idle[kind=stack]", "train", SIZES, "latency", "wrong", "a spike differs"),
    ("idle[kind=backward]", "train", SIZES, "latency", "wrong", "gradient is off"),
    ("lazy[kind=subclass]", "train", SIZES, "latency", "wrong", "not a torch.Tensor"),
    ("lazy[kind=thread]", "train", SIZES, "latency", "wrong", "a spike differs"),
    ("sometimes[every=2]", "train", SIZES, "latency", "wrong", ""),  # which of its wrong calls is met first is chance
    ("form[kind=buffer]", "train", SIZES, "latency", "wrong", "still held"),
    ("reused_gradient", "train", SIZES, "latency", "wrong", "changed while it was held"),
    ("patched[kind=time]", "train", SIZES, "latency", "wrong", "the subject changed time.perf_counter_ns"),
    ("patched[kind=during]", "train", SIZES, "latency", "wrong", "the subject changed time.perf_counter_ns"),
    ("patched[kind=clock]", "train", SIZES, "latency", "wrong", "CpuClock.measure"),
    ("patched[kind=equal]", "train", SIZES, "latency", "wrong", "torch.equal"),
    ("patched[kind=method]", "train", SIZES, "latency", "wrong", "Tensor.__ne__"),
    ("patched[kind=judge]", "train", SIZES, "latency", "wrong", "misformed"),
    ("patched[kind=definition]", "train", SIZES, "latency", "wrong", ""),
    ("patched[kind=chance]", "train", SIZES, "latency", "wrong", "os.urandom"),
    ("patched[kind=autograd]", "train", SIZES, "latency", "wrong", "autograd"),
    ("patched[kind=flags]", "train", SIZES, "latency", "wrong", "torch.get_num_threads"),
    ("forged", "train", SIZES, "latency", "failed", "the result was not written by the worker"),
    ("forged[kind=crash]", "train", SIZES, "latency", "failed", "exit code 1"),
    ("early", "train", SIZES, "latency,compile_time", "ok", ""),
    ("hoard", "inference", SIZES, "latency,peak_memory", Flag.COMPANY, ""),
    ("restless[kind=thread]", "inference", SIZES, "latency", Flag.COMPANY, ""),
    ("restless[kind=process]", "inference", SIZES, "latency", Flag.COMPANY, ""),
    ("restless[kind=orphan]", "inference", SIZES, "latency", Flag.COMPANY, ""),
    ("restless[kind=nice]", "inference", SIZES, "latency", Flag.MOVED, ""),
    ("elsewhere", "inference", SIZES, "latency", Flag.COMPANY, ""),
    ("elsewhere[kind=sleep]", "inference", SIZES, "latency", Flag.ASLEEP, ""),
    ("restless[kind=threads]", "inference", SIZES, "latency", Flag.CHANGED_THREADS, ""),
]
IDS = [f"{backend}-{mode}" for backend, mode, *_ in CORPUS]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which the cheats are backends."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "spikebench", folder / "spikebench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHEATS, folder / "spikebench" / "backends", dirs_exist_ok=True)
    return folder


def measured(tree: Path, backend: str, mode: str, sizes: list[str], metrics: str) -> Record:
    out = tree / "records.jsonl"
    out.unlink(missing_ok=True)
    asked = ["run", "--subject", f"lif@{backend}", *sizes, "--mode", mode, "--samples", "12"]
    asked += [part for metric in metrics.split(",") for part in ("--metric", metric)]
    command = [sys.executable, "-m", "spikebench", *asked, "--out", str(out)]
    kept = os.environ | {"TMPDIR": str(tree)}  # so that what one leaves behind goes with the tree
    done = subprocess.run(command, cwd=tree, env=kept, capture_output=True, text=True, timeout=120, check=False)
    found = list(store.read(out)) if out.exists() else []
    assert len(found) == 1, done.stderr
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "mode", "sizes", "metrics", "expected", "said"), CORPUS, ids=IDS)
def test_a_cheat_is_caught(
    backend: str, mode: str, sizes: list[str], metrics: str, expected: str, said: str, tree: Path
) -> None:
    record = measured(tree, backend, mode, sizes, metrics)
    if isinstance(expected, Flag):
        assert expected in record.flags, (record.status, record.reason, record.flags)
        return
    assert record.status == expected and said in (record.reason or ""), (record.status, record.reason, record.flags)
    assert expected == "ok" or not any(m.samples for m in record.measurements)
    if backend == "right":
        assert not {Flag.REPLAYED, Flag.COMPANY, Flag.MOVED, Flag.CHANGED_THREADS} & set(record.flags)
    if backend == "early":
        compile_time = record.measurement("compile_time")
        assert compile_time and compile_time.samples[0] > 0.3, json.dumps(record.to_json())
