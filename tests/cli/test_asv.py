"""asv: the suites hold the sweep, a case that fails is one case, and a result stands under the commit that was measured."""

import importlib.util
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import spikebench
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.cli import _asv_commits as asv_commits
from spikebench.cli import asv
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.records import store
from spikebench.records.record import Measurement, Record

ROOT = Path(__file__).parents[2]
AXES = ("Length", "Batch", "Width", "Inference")
CARD = environment.Card("a card", "GPU-1", "1", 2**30)
needs_asv = pytest.mark.skipif(importlib.util.find_spec("asv") is None, reason="asv is not installed: the extra `asv`")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    """The suites as on a machine without a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "gpu", lambda: None)
        return imported()


def imported() -> ModuleType:
    """suites/regression.py as asv imports it."""
    spec = importlib.util.spec_from_file_location("suites_regression", ROOT / "suites" / "regression.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def points(axis: Any) -> list[tuple[Any, ...]]:
    """Parameters of an axis that are no holes."""

    def there(point: tuple[Any, ...]) -> bool:
        try:
            axis.setup({}, *point)
        except NotImplementedError:
            return False
        return True

    return [p for p in itertools.product(*axis.params) if there(p)]


@pytest.mark.parametrize("card", [None, CARD])
def test_the_suites_hold_each_case_of_the_sweep_once(
    card: environment.Card | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "gpu", lambda: card)
    suite, found = imported(), []
    for name in (*AXES, "Cuda"):
        axis = getattr(suite, name)()
        found += [suite.CASES[axis.where, *point].case_id for point in points(axis)]
    assert sorted(found) == sorted(c.case_id for c in sweeps.regression())
    assert len(found) == len(set(found))
    assert {c.device for c in sweeps.regression()} == ({"cpu", "cuda"} if card else {"cpu"})


def test_a_gpu_changes_no_benchmark_of_the_cpu(suite: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "gpu", lambda: CARD)
    there = imported()
    assert points(there.Cuda()) and not points(suite.Cuda())
    assert all(getattr(there, name).params == getattr(suite, name).params for name in (*AXES, "Cuda"))


def test_commits_without_the_public_name_have_the_same_cases(
    suite: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(spikebench._HOMES, "sweep")
    monkeypatch.setattr(spikebench, "sweeps", sweeps, raising=False)  # where the module was then
    monkeypatch.delattr(sweeps, "cuda_regression")
    monkeypatch.setattr(environment, "gpu", lambda: None)
    old = imported()
    assert list(old.CASES) == list(suite.CASES) and not hasattr(old, "Cuda")


def test_the_committed_history_is_of_these_benchmarks(suite: ModuleType) -> None:
    """Another name, version or size would start another series."""
    file = ROOT / "results" / "asv" / "benchmarks.json"
    known = {name: about for name, about in json.loads(file.read_text()).items() if name != "version"}
    assert {name.split(".")[1] for name in known} == {*AXES, "Cuda"}
    for name, about in known.items():
        axis = getattr(suite, name.split(".")[1])()
        assert about["version"] == axis.version and tuple(about["param_names"]) == axis.param_names, name
        assert about["params"] == [list(map(repr, values)) for values in axis.params], name
        assert about["unit"] == getattr(axis, name.split(".")[2]).unit, name


def test_sizes_are_numbers_and_each_benchmark_has_a_version(suite: ModuleType) -> None:
    for name in (*AXES, "Cuda"):
        axis = getattr(suite, name)()
        assert axis.version and axis.param_names == ("subject", "T", "B", "N")
        assert all(isinstance(size, int) for sizes in axis.params[1:] for size in sizes)
        assert axis.setup_cache.timeout == 1800


def test_the_axes_are_measured_apart(suite: ModuleType) -> None:
    lines = {getattr(suite, name).setup_cache.__code__.co_firstlineno for name in (*AXES, "Cuda")}
    assert len(lines) == len(AXES) + 1  # asv takes two with one line for the same


def test_a_hole_is_skipped(suite: ModuleType) -> None:
    with pytest.raises(NotImplementedError):
        suite.Length().setup({}, "lif@eager", 7, 7, 7)


def test_importing_the_suites_does_not_import_torch() -> None:
    code = "import sys, suites.regression; sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def record(case: Case) -> Record:
    """A record of a case with samples of each metric."""
    kinds = {"latency": ("s", [0.5, 0.25]), "peak_memory": ("B", [3.0, 5.0]), "spike_rate": ("1", [0.25])}
    measured = [Measurement(metric, unit, samples=samples) for metric, (unit, samples) in kinds.items()]
    return Record("run", case.case_id, case.to_json(), measurements=measured)


def test_what_fails_is_one_case(suite: ModuleType) -> None:
    axis = suite.Length()
    wrong, broken, *fine = points(axis)
    starts = []

    def engine(cases: list[Case], out: Path, metrics: tuple[str, ...]) -> None:
        starts.append(len(cases))
        for case in cases:
            if case is suite.CASES["length", *broken]:
                raise RuntimeError("the worker did not start")
            if case is suite.CASES["length", *wrong]:
                store.append(out, replace(record(case), status="wrong", reason="gate: spikes differ", measurements=[]))
            else:
                store.append(out, record(case))

    found = suite.measure("length", engine)
    assert len(starts) == 2 and len(found) == len(fine) + 2
    for read in (axis.track_latency, axis.track_peak_memory, axis.track_spike_rate):
        with pytest.raises(RuntimeError, match="wrong: gate: spikes differ"):
            read(found, *wrong)
        with pytest.raises(RuntimeError, match="the worker did not start"):
            read(found, *broken)
    for point in fine:
        assert axis.track_latency(found, *point) == {"samples": [0.5, 0.25], "number": 1}
        assert axis.track_peak_memory(found, *point) == 4.0
        assert axis.track_spike_rate(found, *point) == 0.25


@pytest.mark.parametrize(
    ("bench", "count", "metrics"),
    [
        ([], None, ("latency", "peak_memory", "spike_rate")),
        (["Length.track_latency"], None, ("latency",)),
        (["track_peak", "Batch"], None, ("peak_memory",)),
        ([r"track_latency\('lif@eager', 128,"], 1, ("latency",)),
    ],
)
def test_a_run_measures_what_bench_names(
    suite: ModuleType, tmp_path: Path, bench: list[str], count: int | None, metrics: tuple[str, ...]
) -> None:
    (tmp_path / "bench.json").write_text(json.dumps(bench))
    cases, found = suite.asked("length", tmp_path)
    assert (len(cases), found) == (count or len(points(suite.Length())), metrics)


def test_a_killed_run_keeps_what_it_had_and_the_next_goes_on(suite: ModuleType, tmp_path: Path) -> None:
    where, seen = tmp_path / ".asv" / "kept", list[int]()

    def engine(cases: list[Case], out: Path, metrics: tuple[str, ...]) -> None:
        seen.append(len(suite._read(out)))
        store.append(out, record(cases[0]))
        if len(seen) == 1:
            with out.open("a") as file:
                file.write('{"cut')
            raise KeyboardInterrupt
        for case in cases[1:]:
            store.append(out, record(case))

    with pytest.raises(KeyboardInterrupt), asv.kept(tmp_path, ["Length"]):
        suite.measure("length", engine, where)
    with asv.kept(tmp_path, ["Length"]):
        found = suite.measure("length", engine, where)
    assert seen == [0, 1]
    assert len(found) == len(points(suite.Length())) and all(r["status"] == "ok" for r in found.values())
    assert not where.exists()


def test_a_run_without_that_folder_leaves_nothing(suite: ModuleType, tmp_path: Path) -> None:
    with suite.records_of("length", tmp_path / "none") as out:
        assert out.exists()
    assert not out.exists() and not (tmp_path / "none").exists()


@needs_asv
def test_asv_that_is_killed_is_a_problem_and_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asv.subprocess, "call", lambda *_, **__: -9)
    with pytest.raises(Problem, match="signal 9; what was measured is kept"):
        asv.call([])


def test_what_cannot_be_measured_here_is_not_a_number(suite: ModuleType) -> None:
    axis = suite.Batch()
    point = points(axis)[0]
    case = suite.CASES["batch", *point]
    none = Measurement("peak_memory", "B", "unavailable", "no high-water mark")
    found = {case.case_id: replace(record(case), measurements=[none]).to_json()}
    assert math.isnan(axis.track_peak_memory(found, *point))
    with pytest.raises(RuntimeError, match="lost"):
        axis.track_latency({}, *point)


def git(folder: Path, *arguments: str) -> str:
    """git with an author, and without the hooks and settings of whoever runs the tests."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    """The hash of a commit of all there is."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a package, suites and one commit; its name has a space."""
    folder = tmp_path / "a checkout"
    for name in ("spikebench/__init__.py", "suites/__init__.py", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "asv.conf.json").write_text('{"results_dir": "results/asv"}')
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "first")
    return folder


@needs_git
def test_a_clean_checkout_is_recorded_under_its_head(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert asv_commits.recordable(checkout, checkout / "spikebench") == (head, "")
    (checkout / "README.md").write_text("not measured")
    assert asv_commits.recordable(checkout, checkout / "spikebench") == (head, "")


@needs_git
@pytest.mark.parametrize("name", ["spikebench/__init__.py", "spikebench/new.py", "suites/__init__.py", "asv.conf.json"])
def test_changes_are_not_recorded(checkout: Path, name: str) -> None:
    (checkout / name).write_text("x = 1")
    found, why = asv_commits.recordable(checkout, checkout / "spikebench")
    assert found is None and name.split("/")[-1] in why and "\n" not in why


@needs_git
def test_what_is_imported_from_elsewhere_is_not_recorded(checkout: Path, tmp_path: Path) -> None:
    elsewhere = (tmp_path / "spikebench", checkout / ".venv" / "lib" / "site-packages" / "spikebench")
    for package in elsewhere:
        found, why = asv_commits.recordable(checkout, package)
        assert found is None and str(package) in why


def test_what_is_no_checkout_is_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "spikebench").mkdir()
    assert asv_commits.recordable(tmp_path, tmp_path / "spikebench")[0] is None


@needs_git
def test_a_folder_inside_another_checkout_is_not_recorded(checkout: Path) -> None:
    (checkout / "inner" / "spikebench").mkdir(parents=True)
    found, why = asv_commits.recordable(checkout / "inner", checkout / "inner" / "spikebench")
    assert found is None and "top" in why


@needs_git
@pytest.mark.parametrize("changed", [False, True])
def test_a_checkout_that_changes_while_it_is_measured_keeps_its_old_results(
    checkout: Path, changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    folder = checkout / "results" / "asv" / "box"
    old, new = folder / f"{head[:8]}-old.json", folder / f"{head[:8]}-new.json"
    folder.mkdir(parents=True)
    old.write_text("before")

    def pretend(arguments: list[str], *_: Any) -> int:
        assert arguments[arguments.index("--set-commit-hash") + 1] == head
        for path in (old, new):
            path.write_text("after")
        if changed:
            (checkout / "spikebench" / "__init__.py").write_text("x = 1")
        return 0

    monkeypatch.setattr(asv, "call", pretend)
    monkeypatch.setattr(asv.spikebench, "__file__", str(checkout / "spikebench" / "__init__.py"))
    if changed:
        with pytest.raises(Problem, match="changed while it was measured"):
            asv.measure_here(checkout, "box", [])
        assert old.read_text() == "before" and not new.exists()
    else:
        assert asv.measure_here(checkout, "box", []) == 0
        assert old.read_text() == new.read_text() == "after"


@needs_git
def test_a_range_is_oldest_first(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    (checkout / "README.md").write_text("2")
    second = commit(checkout, "second")
    (checkout / "README.md").write_text("3")
    third = commit(checkout, "third")
    assert asv_commits.resolve(checkout, f"{first}..{third}") == [second, third]
    assert asv_commits.resolve(checkout, "main") == [first, second, third]
    with pytest.raises(Problem, match=r"first\^\.\.last"):
        asv_commits.resolve(checkout, "main..main")
    with pytest.raises(Problem, match="nosuch"):
        asv_commits.resolve(checkout, "nosuch..main")


@needs_git
def test_a_worktree_is_gone_afterwards(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    for _ in range(2):
        with pytest.raises(RuntimeError), asv_commits.worktree(checkout, head) as folder:
            assert (folder / "suites").is_dir()
            raise RuntimeError
        assert not folder.exists()
        assert len(git(checkout, "worktree", "list").splitlines()) == 1


@needs_asv
@pytest.mark.parametrize(
    ("arguments", "rest"),
    [
        (["run", "A..B"], ["run"]),
        (["run", "A..B", "-b", "Length"], ["run", "-b", "Length"]),
        (["run", "-b", "main", "--steps", "3", "main"], ["run", "-b", "main", "--steps", "3"]),
        (["--verbose", "run", "main", "-b", "main"], ["--verbose", "run", "-b", "main"]),
        (["run", "-b", "x"], ["run", "-b", "x"]),
    ],
)
def test_the_range_is_told_from_the_options(arguments: list[str], rest: list[str]) -> None:
    assert asv.without_range(arguments, asv.parse(arguments)) == rest


@needs_asv
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--set-commit-hash", "HEAD"], "--set-commit-hash"),
        (["run", "NEW"], "first..last"),
        (["run", "--date-period", "1w", "main"], "--date-period"),
    ],
)
def test_what_would_record_wrongly_is_refused_in_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(Problem, match=message) as problem:
        asv.measure(ROOT, arguments, asv.parse(arguments))
    assert "\n" not in str(problem.value)


def test_without_asv_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asv, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"pip install 'spikebench\[asv\]'"):
        asv.command(["publish"])


def test_without_a_configuration_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match=r"no asv\.conf\.json"):
        asv.root()


@needs_asv
def test_the_machine_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    name = asv.known_machine()
    path = tmp_path / ".asv-machine.json"
    facts = json.loads(path.read_text())[name]
    assert name == environment.machine() == facts["machine"]
    assert set(facts) >= {"os", "arch", "cpu", "num_cpu", "ram"} and all(facts.values())
    path.write_text(path.read_text().replace(facts["cpu"], "mine"))
    asv.known_machine()
    assert json.loads(path.read_text())[name]["cpu"] == "mine"


SWEEP = '''


def regression() -> list[Case]:  # noqa: F811
    """A small one: a case that is fine, and one that never is."""
    return grid(["lif@eager", "lif@broken"], T=[128], B=[2], N=[32])


SWEEPS["regression"] = regression
'''
BROKEN = '''"""Runs nothing."""


def run(neuron: object, x: object, seed: int | None = None) -> object:
    """Raises."""
    raise ValueError("broken on purpose")
'''
TWICE = '''

once = run


def run(neuron: Neuron, x: Tensor, seed: int | None = None) -> Tensor:  # noqa: F811
    """The same spikes and gradients for twice the time."""
    return (once(neuron, x, seed) + once(neuron, x, seed)) / 2
'''


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, list[str]]:
    """A checkout of this project with a small sweep, and its commits: first, same, slower by two, same."""
    folder = tmp_path / "a checkout"
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("spikebench", "suites"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE", "asv.conf.json", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text(".asv/\n__pycache__/\n")
    with (folder / "spikebench" / "sweeps.py").open("a") as file:
        file.write(SWEEP)
    (folder / "spikebench" / "backends" / "broken.py").write_text(BROKEN)
    git(folder, "init", "-q", "-b", "main")
    hashes = [commit(folder, "first")]
    for message in ("same", "slower", "still slower"):
        with (folder / "spikebench" / "backends" / "eager.py").open("a") as file:
            file.write(TWICE if message == "slower" else f"\n# {message}\n")
        hashes.append(commit(folder, message))
    return folder, hashes


@needs_asv
@needs_git
@pytest.mark.timeout(600)
@pytest.mark.slow
def test_a_slower_commit_is_a_step_at_its_hash(history: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, (_, same, slower, head) = history
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "ASV_PYTHONPATH")}
    variables["XDG_CONFIG_HOME"] = os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config"))  # pip's settings
    variables["HOME"] = str(tmp_path)

    def spikebench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "spikebench", "asv", *arguments]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)

    def best(where: str) -> float:
        """The fastest sample of the one case that has any; the other failed, alone."""
        path = next((folder / "results" / "asv" / environment.machine()).glob(f"{where[:8]}-*.json"))
        found = json.loads(path.read_text())
        assert found["commit_hash"] == where
        columns = dict(zip(found["result_columns"], found["results"]["regression.Length.track_latency"], strict=False))
        fine, broken = columns["samples"]
        assert columns["result"][1] is None and broken is None and len(fine) >= 5
        return min(fine)

    only = ("-b", "Length.track_latency")
    range_run = spikebench("run", *only, f"{same}^..{slower}")
    assert range_run.returncode == 2, range_run.stdout + range_run.stderr  # asv's code for a case that failed
    assert "lif@broken T=128 B=2 N=32: failed: gate: ValueError: broken on purpose" in range_run.stdout
    here = spikebench("run", *only)
    assert f"{head[:10]} as checked out" in here.stdout, here.stdout + here.stderr
    names = {p.name.split("-", 1)[1] for p in (folder / "results" / "asv").rglob("*torch*.json")}
    assert len(names) == 1  # one series, however a commit was measured
    assert best(slower) / best(same) > 1.5
    assert best(head) / best(same) > 1.5
    assert spikebench("publish").returncode == 0
    graph = next((folder / ".asv" / "html" / "graphs").glob("arch-*/**/regression.Length.track_latency.json"))
    assert [revision for revision, _ in json.loads(graph.read_text())] == [1, 2, 3]
    assert not git(folder, "status", "--porcelain", "--", "spikebench", "suites")
