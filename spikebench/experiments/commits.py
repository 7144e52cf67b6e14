"""`sb.compare_commits`: a module of a git repository at two commits, compared live in pairs on this machine."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikebench.analysis.comparison import Comparison
from spikebench.analysis.pairs import Pairs
from spikebench.cases.arguments import asked
from spikebench.cases.subject import Subject, foreign_file, parse_subject
from spikebench.errors import Problem
from spikebench.experiments.compare import Tell, Warn, compare
from spikebench.experiments.settings import told_apart
from spikebench.experiments.sweep import Grid
from spikebench.run.settings import Settings

SECONDS = 120  # of a call of git
SOURCE = ("", "src")  # folders of a checkout in which its packages are found


@dataclass(frozen=True)
class Checkout:
    """A commit: as it was named, its hash, and the folder that holds its files."""

    named: str
    hash: str
    folder: Path

    @property
    def told(self) -> str:
        """The commit as a line names it."""
        short = self.hash[:7]
        return short if self.hash.startswith(self.named) else f"{self.named} ({short})"


@asked
def compare_commits(
    base: str,
    head: str = "HEAD",
    *,
    subject: str,
    pairs: Pairs | int | str = "5-20",
    metric: str = "latency",
    out: str | Path | None = None,
    progress: Tell | None = None,
    warn: Warn | None = None,
    settings: Settings | None = None,
    grid: Grid | None = None,
    **given: Any,
) -> list[Comparison]:
    """Compare a module at the commit `head` with the same at `base`, in randomised blocks of fresh processes of both.

    `subject` is a file of the repository of the working folder, `src/neurons.py:Leaky[…]`. Both commits are checked out
    below .git, and each side's packages are found in its own checkout before those that are installed. What is not
    committed is not measured. The rest is as in `compare`; a ratio above 1 says that `head` is better.
    Raises Problem where git has no such commit, or a commit no such file.
    """
    chosen, wanted = told_apart(given, settings or Settings(), grid or Grid())
    parsed, root = parse_subject(subject), _root()
    path = _inside(parsed, subject, root)
    ids = {name: _commit(name) for name in (base, head)}
    if ids[base] == ids[head]:
        raise Problem(f"{base} and {head} are the same commit, {ids[base][:7]}; name two")
    with ExitStack() as stack:
        scripts = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spikebench-commits-")))
        sides = [stack.enter_context(_checked_out(name, ids[name])) for name in (base, head)]
        subjects = [_side(parsed, side, path) for side in sides]
        python = {s.name: _interpreter(scripts / side.hash, side) for s, side in zip(subjects, sides, strict=True)}
        rows = compare(
            *map(str, subjects),
            pairs=pairs,
            metric=metric,
            out=out,
            progress=progress,
            warn=warn,
            settings=replace(chosen, python=chosen.python | python),
            grid=wanted,
        )
    names = [f"{subject} at {side.told}" for side in sides]
    return [replace(row, baseline=names[0], subject=names[1]) for row in rows]


def _root() -> Path:
    """The top of the repository that the working folder is in."""
    return Path(_git("rev-parse", "--show-toplevel", why="the working folder is in no git repository; go into one"))


def _inside(parsed: Subject, subject: str, root: Path) -> Path:
    """The file of a subject, as the repository names it."""
    file = foreign_file(parsed)
    if file is None or file.suffix != ".py":
        raise Problem(f"{subject} is no file of the repository; name it as path.py:Class")
    where = Path(os.path.abspath(file))
    if not where.is_relative_to(root):
        raise Problem(f"{file} lies outside of the repository {root}; name a file in it")
    return where.relative_to(root)


def _commit(name: str) -> str:
    """The hash of a commit."""
    why = f"there is no commit {name!r} in this repository; see `git log`, or fetch it: git fetch origin"
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", why=why)


@contextmanager
def _checked_out(name: str, commit: str) -> Iterator[Checkout]:
    """A commit's files in a folder below .git, which is removed afterwards unless it was there."""
    common = Path(_git("rev-parse", "--path-format=absolute", "--git-common-dir"))
    folder = common / "spikebench" / commit[:12]
    mine = not folder.exists()
    if mine:
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", "--force", str(folder), commit, why=f"git cannot check out {name}")
    try:
        yield Checkout(name, commit, folder)
    finally:
        if mine:
            _git("worktree", "remove", "--force", str(folder))


def _side(parsed: Subject, side: Checkout, path: Path) -> Subject:
    """The subject in a checkout, with a path that does not depend on where the repository is."""
    file = side.folder / path
    if not file.is_file():
        raise Problem(f"{side.told} has no file {path}; name one that both commits have")
    return replace(parsed, name=f"{os.path.relpath(file)}:{parsed.name.rpartition(':')[2]}")


def _interpreter(script: Path, side: Checkout) -> str:
    """This interpreter, which finds packages in a checkout before those that are installed."""
    folders = ":".join(shlex.quote(str(side.folder / f)) for f in SOURCE if (side.folder / f).is_dir())
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH={folders}:"$PYTHONPATH" exec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8"
    )
    script.chmod(0o700)
    return str(script)


def _git(*args: str, why: str | None = None) -> str:
    """What git says in the working folder; Problem with `why`, or with what it complains of."""
    try:
        done = subprocess.run(["git", *args], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problem(f"cannot run git: {error}; install it, or give it more time") from error
    if done.returncode:
        raise Problem(why or f"git {' '.join(args)}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()
