"""A sweep in shards: every case once, ratios in one place; and the files of shards joined."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import spikebench as sb
from spikebench.cases import sweeps
from spikebench.cases.case import Case, grid
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.run.settings import Settings
from spikebench.run.shards import Shard

HERE = Path(__file__).parents[2]
RECIPE = HERE / "docs" / "recipes" / "several-machines.md"


@pytest.mark.parametrize("name", ["quick", "libraries", "regression"])
def test_shards_have_every_case_once_and_what_is_compared_in_one_of_them(name: str) -> None:
    cases = sweeps.sweep(name)
    parts = [Shard(i, 4).part(cases, Settings(), 30.0) for i in (1, 2, 3, 4)]
    assert Counter(c.case_id for part, _ in parts for c in part) == Counter(c.case_id for c in cases)
    assert [beside for _, beside in parts].count(True) == 1
    where = {c.case_id: k for k, (part, _) in enumerate(parts) for c in part}
    places = {(c.workload, c.T, c.B, c.N, c.mode, c.dtype, c.device): where[c.case_id] for c in cases}
    assert all(where[c.case_id] == places[c.workload, c.T, c.B, c.N, c.mode, c.dtype, c.device] for c in cases)
    assert len(set(places.values())) > 1


def test_a_shard_is_balanced_by_predicted_seconds() -> None:
    cases = grid(["lif@eager", "lif@fused"], T=[100, 10_000, 200, 9_000], B=[4], N=[32])
    lengths = [{c.T for c in Shard(i, 2).part(cases, Settings())[0]} for i in (1, 2)]
    assert all(len(ts & {10_000, 9_000}) == 1 for ts in lengths)


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "2/", "a/b", "1/10001", "-1/4", "1/4/4", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="is no shard"):
        Shard.read(text)


def test_more_shards_than_parts_are_refused() -> None:
    with pytest.raises(Problem, match="make 1 part, since ratios stay in one"):
        Shard(1, 2).part(grid(["lif@eager", "lif@fused"], T=[8]), Settings())


def _record(T: int, run: str = "a", value: float = 1.0, machine: str = "m", repeat: int = 0) -> Record:
    case = Case("lif@eager", T=T, B=2, N=8)
    found = [Measurement("latency", "s", samples=[value])]
    return Record(
        run, case.case_id, case.to_json(), measurements=found, environment={"machine": machine}, repeat=repeat
    )


def _file(path: Path, *records: Record, torn: str = "") -> Path:
    path.write_bytes(b"".join(map(store.line, records)) + torn.encode())
    return path


def test_merged_files_have_every_record_once_and_say_what_to_know(tmp_path: Path) -> None:
    one = _file(tmp_path / "1.jsonl", _record(8), _record(16), torn='{"run": "a", "case')
    two = _file(tmp_path / "2.jsonl", _record(16), _record(32, "b", machine="other"))
    told = list[str]()
    records = sb.merge(one, two, out=tmp_path / "all.jsonl", warn=told.append)
    assert [r.case["T"] for r in records] == [8, 16, 32]
    assert store.load(tmp_path / "all.jsonl") == records
    assert [t.partition(": ")[2] or t for t in told] == [
        "skipped: a torn or foreign line",
        "1 records are in several files, and were taken once",
        "nothing is compared, averaged or joined by a line across them",
    ]


def test_what_two_files_have_both_measured_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    one, two = _file(tmp_path / "1.jsonl", _record(8)), _file(tmp_path / "2.jsonl", _record(8, "b", 2.0))
    with pytest.raises(Problem, match=r"have both measured lif@eager T=8 B=2 N=8 train, repeat 0; leave one"):
        sb.merge(one, two, out=tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.parametrize(
    "change", [{"repeat": 1}, {"environment": {"machine": "other"}}, {"status": "failed"}, {"pairs": "5-20"}]
)
def test_what_is_another_measurement_is_kept_beside(tmp_path: Path, change: dict[str, object]) -> None:
    other = replace(_record(8, "b", 2.0), **change)  # pyright: ignore[reportArgumentType]
    one, two = _file(tmp_path / "1.jsonl", _record(8)), _file(tmp_path / "2.jsonl", other)
    assert len(sb.merge(one, two, out=tmp_path / "all.jsonl", warn=lambda _: None)) == 2


def test_what_is_there_is_not_overwritten_and_no_records_are_no_file(tmp_path: Path) -> None:
    one = _file(tmp_path / "1.jsonl", _record(8))
    with pytest.raises(Problem, match="is there already"):
        sb.merge(one, out=one)
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(Problem, match="no records in these files"):
        sb.merge(tmp_path / "empty.jsonl", out=tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


def _run(folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    sizes = ["-T", "8,12,16,20,24,28,32,36,40,44", "-B", "2,3", "-N", "8", "--samples", "3", "--metric", "latency"]
    line = [sys.executable, "-m", "spikebench", "run", "--subject", "lif@eager", "--subject", "lif@indexed", *sizes]
    own = os.environ | {"PYTHONPATH": str(HERE)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*line, *more], cwd=folder, env=own, stdout=quiet, stderr=quiet)


def _same(record: Record) -> str:
    """What a record says of its case, without host, time and samples."""
    data = json.loads(store.line(record))
    kept = {k: data[k] for k in ("case_id", "case", "status", "reason", "repeat", "pairs", "schema")}
    kept["metrics"] = [(m["metric"], m["unit"], m["status"], len(m["samples"])) for m in data["measurements"]]
    return json.dumps(
        kept | {"gate": data["gate"]["status"], "environment": sorted(data["environment"])}, sort_keys=True
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_forty_cases_in_four_shards_two_of_them_killed_are_those_of_one_run(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.jsonl" for i in (1, 2, 3, 4)]
    for i, file in enumerate(files, 1):
        process = _run(tmp_path, "--shard", f"{i}/4", "--out", str(file))
        if i in (2, 3):
            while not file.exists() or file.read_bytes().count(b"\n") < 3:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = _run(tmp_path, "--shard", f"{i}/4", "--out", str(file), "--resume")
        assert process.wait() == 0
    merged = sb.merge(*files, out=tmp_path / "all.jsonl", warn=lambda _: None)
    assert _run(tmp_path, "--out", str(tmp_path / "local.jsonl")).wait() == 0
    local = store.load(tmp_path / "local.jsonl")
    assert len(merged) == len(local) == 40 and len({r.case_id for r in merged}) == 40
    assert Counter(map(_same, merged)) == Counter(map(_same, local))


PRETEND = """
# stands in for NVML: the card that CUDA_VISIBLE_DEVICES names
class NVMLError(Exception):
    pass


class Memory:
    total = 2**30


nvmlInit = lambda: None
nvmlDeviceGetHandleByIndex = lambda index: index
nvmlDeviceGetName = lambda handle: "Pretend"
nvmlDeviceGetUUID = lambda handle: f"GPU-{handle}"
nvmlSystemGetDriverVersion = lambda: "1"
nvmlDeviceGetMemoryInfo = lambda handle: Memory
"""


def _on(device: str, folder: Path, *more: str) -> "subprocess.Popen[bytes]":
    """The sweep on a pretend device, whose card the records name."""
    line = [sys.executable, "-m", "spikebench", "run", "--subject", "lif@eager", "--subject", "lif@indexed"]
    line += ["-T", "8,12,16,20", "-B", "2", "-N", "8", "--samples", "3", "--metric", "latency", "--threads", "1"]
    own = os.environ | {"PYTHONPATH": f"{folder / 'stub'}:{HERE}", "CUDA_VISIBLE_DEVICES": device}
    return subprocess.Popen([*line, *more], cwd=folder, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _card(record: Record) -> str:
    card = record.environment.get("gpu")
    assert isinstance(card, dict)
    return str(card.get("uuid"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("parsl") is None, reason="parsl is not installed: pip install 'spikebench[cluster]'")
def test_shards_parsl_and_one_process_give_the_same_records_on_two_devices(tmp_path: Path) -> None:
    (tmp_path / "stub").mkdir()  # not the working folder, from which nothing is imported in place of a library
    (tmp_path / "stub" / "pynvml.py").write_text(PRETEND)
    files = {name: tmp_path / f"{name}.jsonl" for name in ("local", "1", "2", "parsl")}
    lines = {"local": ("0", ()), "1": ("0", ("--shard", "1/2")), "2": ("1", ("--shard", "2/2"))}
    lines["parsl"] = ("0", ("--executor", "parsl", "--accelerators", "0,1"))
    for name, (device, more) in lines.items():
        assert _on(device, tmp_path, *more, "--out", str(files[name])).wait() == 0, name
    told = list[str]()
    sb.merge(files["1"], files["2"], out=tmp_path / "shards.jsonl", warn=told.append)
    found = {name: store.load(tmp_path / f"{name}.jsonl") for name in ("local", "shards", "parsl")}
    own = {"started", "ended", "accelerator"}  # when and where, which Parsl's workers note
    same = {
        name: Counter(
            _same(replace(r, environment={k: v for k, v in r.environment.items() if k not in own})) for r in rs
        )  # pyright: ignore[reportArgumentType]
        for name, rs in found.items()
    }
    assert same["local"] == same["shards"] == same["parsl"] and same["local"].total() == 8
    cards = {name: {_card(r) for r in rs} for name, rs in found.items()}
    assert cards == {"local": {"GPU-0"}, "shards": {"GPU-0", "GPU-1"}, "parsl": {"GPU-0", "GPU-1"}}
    assert any(t.startswith("2 GPUs: nothing is compared") for t in told)
    where = {(r.case["T"], _card(r)) for r in found["shards"]}
    assert len(where) == 4, "what is compared was measured on one device"
    table = subprocess.run(
        [sys.executable, "-m", "spikebench", "report", "parsl.jsonl", "-o", "page.html"],
        cwd=tmp_path,
        check=True,
        env=os.environ | {"PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
    )
    assert "2 GPUs" in (tmp_path / "page.html").read_text(), table.stdout


def _block(start: str) -> str:
    """The code of the recipe that begins with a line."""
    blocks = [b.partition("\n")[2] for b in RECIPE.read_text(encoding="utf-8").split("```")[1::2]]
    return next(b for b in blocks if b.startswith(start))


SBATCH = """#!/usr/bin/env bash
# stands in for Slurm's sbatch: every task of the array, one after the other, with the variables that a script reads
for option in "$@"; do case $option in --array=*) range=${option#--array=};; esac; done
script=${!#}
[ -n "$range" ] || range=$(sed -n 's/^#SBATCH --array=//p' "$script")
for task in $(seq "${range%-*}" "${range#*-}"); do
    SLURM_ARRAY_TASK_ID=$task bash "$script" || exit 1
done
"""


def test_the_slurm_script_measures_every_shard_and_merge_joins_them(tmp_path: Path) -> None:
    (tmp_path / "sweep.sh").write_text(_block("#!/usr/bin/env bash\n#SBATCH").replace("of=4", "of=2"))
    programs = {"sbatch": SBATCH, "spikebench": f'#!/bin/sh\nexec "{sys.executable}" -m spikebench "$@"\n'}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755 | stat.S_IXUSR)
    own = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(HERE)}
    sweep = "--subject lif@eager -T 8,12 -B 2 -N 8 --samples 2 --metric latency"
    lines = _block("export SWEEP=").replace('"quick"', f'"{sweep}"').replace("1-4", "1-2")
    done = subprocess.run(["bash", "-ec", lines], cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(r.case["T"] for r in store.load(tmp_path / "all.jsonl")) == [8, 12]
