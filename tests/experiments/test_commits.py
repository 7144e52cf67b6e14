"""A module at two commits of a repository made for it, and the steps of action.yml run in a shell on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import spikebench as sb
from spikebench.errors import Problem
from spikebench.records import store

HERE = Path(__file__).parents[2]
MODULE = """
from torch import nn
from toylib.work import ROUNDS


class Leaky(nn.Module):
    def forward(self, x):
        y = x.clone()
        for _ in range(ROUNDS):
            y.mul_(1.0)
        return (y > 0.5).to(x.dtype)
"""
SIZES = "-T 64 -B 8 -N 128 --mode inference --threads 1"


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=toy", "-c", "user.email=toy@example.org"]
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder: Path, rounds: int) -> None:
    (folder / "src" / "toylib" / "work.py").write_text(f"ROUNDS = {rounds}\n# {os.urandom(4).hex()}\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"{rounds} rounds")


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library whose module takes its work from a package beside it: 200 rounds, then ten times as many."""
    folder = tmp_path / "toy"
    (folder / "src" / "toylib").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "src" / "toylib" / "__init__.py").touch()
    (folder / "src" / "neurons.py").write_text(MODULE)
    commit(folder, 200)
    commit(folder, 2000)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return folder


@pytest.mark.parametrize(
    ("base", "subject", "told"),
    [
        ("nothere", "src/neurons.py:Leaky", "there is no commit 'nothere'"),
        ("--help", "src/neurons.py:Leaky", "there is no commit '--help'"),
        ("HEAD", "src/neurons.py:Leaky", "are the same commit"),
        ("HEAD~1", "src/other.py:Leaky", "has no file src/other.py"),
        ("HEAD~1", "/etc/hosts.py:Leaky", "lies outside of the repository"),
        ("HEAD~1", "lif", "is no file of the repository"),
        ("HEAD~1", "toylib.work:Leaky", "is no file of the repository"),
    ],
)
@pytest.mark.usefixtures("toy")
def test_what_cannot_be_compared_is_said_in_a_line(base: str, subject: str, told: str) -> None:
    with pytest.raises(Problem, match=told):
        sb.compare_commits(base, subject=subject)


def test_outside_of_a_repository_there_are_no_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(Problem, match="in no git repository"):
        sb.compare_commits("main", subject="a.py:B")


def act(toy: Path, **given: str) -> "subprocess.CompletedProcess[str]":
    """The steps of the action but for the installation, as a runner does them: with their inputs, one shell each."""
    action = yaml.safe_load((HERE / "action.yml").read_text(encoding="utf-8"))
    inputs = {
        name: given.get(name.replace("-", "_"), str(i.get("default", ""))) for name, i in action["inputs"].items()
    }
    programs = toy.parent / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "spikebench").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m spikebench "$@"\n')
    (programs / "spikebench").chmod(0o755)
    own = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(toy.parent / "step.md")}
    done = None
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash" and "${{" not in step["run"]  # no text of a pull request becomes a command
        if step["name"] == "install":
            continue
        env = {k: inputs[v.removeprefix("${{ inputs.").removesuffix(" }}")] for k, v in step.get("env", {}).items()}
        line = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(line, cwd=toy, env=own | env, capture_output=True, text=True, check=False)
        if done.returncode:
            break
    assert done is not None
    return done


@pytest.mark.long
def test_the_steps_of_the_action_fail_on_a_slowdown_and_write_the_table(toy: Path) -> None:
    """Ten times the work is slower only if each side has the package of its own commit."""
    done = act(toy, subject="src/neurons.py:Leaky", base="HEAD~1", options=f"{SIZES} --samples 3 --pairs 5")
    assert done.returncode == 1 and "1 of 1 cases are slower by more than 5%" in done.stderr, done.stderr
    (row,) = [line for line in (toy.parent / "step.md").read_text().splitlines() if line.startswith("| 64 | 8 | 128 |")]
    assert row.endswith("| slower |") and float(row.split("|")[7].partition("x")[0]) < 0.6
    assert (toy / "spikebench.md").read_text().startswith(f"### src/neurons.py:Leaky at HEAD ({_head(toy)}) against")
    subjects = {str(r.case["subject"]) for r in store.load(toy / "spikebench.jsonl")}
    assert len(subjects) == 2 and all(s.startswith(".git/spikebench/") for s in subjects)
    assert len(git(toy, "worktree", "list").splitlines()) == 1  # nothing stays behind


@pytest.mark.slow
def test_the_action_compares_with_a_definition_before_it_measures(toy: Path) -> None:
    done = act(toy, subject="src/neurons.py:Leaky", base="HEAD~1", like="lif", options=SIZES)
    assert done.returncode == 1 and not (toy / "spikebench.md").exists()


def _head(toy: Path) -> str:
    return git(toy, "rev-parse", "HEAD")[:7]


@pytest.mark.timeout(1200)
def test_ten_percent_are_found_and_an_equal_commit_is_no_alarm(toy: Path, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--live"):
        pytest.skip("takes some minutes of a machine with nothing else on it: run with --live")
    found = {200: 0, 220: 0}
    commit(toy, 200)
    base = git(toy, "rev-parse", "HEAD")
    for k in range(10):
        for rounds in found:
            commit(toy, rounds)
            done = act(toy, subject="src/neurons.py:Leaky", base=base, options=SIZES)
            found[rounds] += done.returncode == 1
            sys.stderr.write(f"{k + 1}/10: {rounds} rounds: exit {done.returncode}; {found}\n")
    assert found[220] >= 9 and found[200] == 0, found
