"""The command that runs asv: on what is really imported, and recorded under the commit that it is."""

import json
import platform
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import psutil
import typer

import spikebench
from spikebench.cli import _asv_commits as commits
from spikebench.cli import _asv_pages as pages
from spikebench.errors import Problem
from spikebench.host import environment

HERE = (None, "HEAD", "HEAD^!")
ASVS_OWN = ("NEW", "ALL", "EXISTING", "TAGS", "HASHFILE:")
FOR_A_MACHINE = ("Run", "Continuous", "Find")
CONTEXT = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # they are passed on


def command(
    arguments: Annotated[list[str], typer.Argument(metavar="COMMAND", help="A command of asv and its arguments.")],
) -> None:
    """Track the regression sweep over commits with asv.

    `run` measures the spikebench that is imported, and records it if it is a clean checkout's HEAD.

    `run first..last` installs and measures one commit after the other.

    publish, preview, compare, show and the rest are asv's own.
    """
    if find_spec("asv") is None:
        raise Problem("asv is not installed; pip install 'spikebench[asv]'")
    asked = parse(arguments)
    command = getattr(getattr(asked, "func", None), "__self__", type(None)).__name__
    if command in FOR_A_MACHINE and asked.machine is None:
        arguments = [*arguments, "--machine", known_machine()]
        asked = parse(arguments)
    if command == "Run" and not asked.env_spec and not asked.config:
        raise typer.Exit(measure(root(), arguments, asked))
    code = call(arguments)
    if command == "Publish" and not code:
        make_independent(asked)
    raise typer.Exit(code)


def make_independent(asked: Namespace) -> None:
    """Published pages get their libraries beside them, so that they work without a network; else a word on stderr."""
    from asv.config import Config

    config = Path(asked.config or "asv.conf.json").resolve()
    html = config.parent / (asked.html_dir or Config.load(str(config)).html_dir)
    if why := pages.bring_libraries(html, config.parent / ".asv" / "npm"):
        print(f"spikebench: the pages in {html} need the network: {why}", file=sys.stderr)


def parse(arguments: list[str]) -> Namespace:
    """What asv itself makes of its arguments; it leaves with its own message if they are wrong."""
    from asv.commands import make_argparser

    return make_argparser()[0].parse_args(arguments)


def known_machine() -> str:
    """The name of this machine, written into asv's file of machines if it is not there."""
    from asv.machine import Machine, MachineCollection
    from asv.util import UserError

    name, card = environment.machine(), environment.gpu()
    try:
        MachineCollection.load(name)
    except UserError:
        # asv starts another series where one of these differs: the kernel's version and the last page must not
        facts = Machine.get_defaults() | {"machine": name, "os": platform.system()}
        facts["ram"] = f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
        facts["cpu"] += f", {card.name}, driver {card.driver}" if card else ""
        MachineCollection.save(name, facts)
    return name


def root() -> Path:
    """The folder here or above that holds asv.conf.json."""
    here = Path.cwd()
    found = next((p for p in (here, *here.parents) if (p / "asv.conf.json").exists()), None)
    if found is None:
        raise Problem(
            "no asv.conf.json in this folder or above it; asv measures a git checkout of spikebench: go there"
        )
    return found


def measure(folder: Path, arguments: list[str], asked: Namespace) -> int:
    """asv's exit code for the checkout here, or the worst one of a range of commits."""
    if asked.set_commit_hash:
        raise Problem(
            "--set-commit-hash: spikebench sets it to what it measures; name an environment to set it yourself"
        )
    options = without_range(arguments, asked)
    options += [] if asked.record_samples or asked.append_samples else ["--record-samples"]
    options += [] if asked.show_stderr else ["--show-stderr"]
    if asked.range in HERE:
        with kept(folder, asked.bench):
            return measure_here(folder, asked.machine, options)
    if asked.range.startswith(ASVS_OWN):
        raise Problem(
            f"{asked.range}: give a range as git takes it, first..last; or spikebench asv run -E virtualenv {asked.range}"
        )
    if asked.date_period:
        raise Problem(
            "--date-period: not over a shared environment; use --steps, or spikebench asv run -E virtualenv …"
        )
    with kept(folder, asked.bench):
        return measure_commits(folder, asked.range, asked.steps, options)


@contextmanager
def kept(folder: Path, bench: list[str] | None) -> Iterator[None]:
    """The folder in which the suites read what `--bench` names, and keep records until asv has saved its results.

    It stays when a run is killed or interrupted, and the next one goes on with what is in it.
    """
    where = folder / ".asv" / "kept"
    where.mkdir(parents=True, exist_ok=True)
    if count := sum(len(p.read_text(encoding="utf-8").splitlines()) for p in where.glob("*.jsonl")):
        print(
            f"spikebench: goes on with {count} records of a run that was ended; remove {where} to begin anew",
            file=sys.stderr,
        )
    (where / "bench.json").write_text(json.dumps(bench or []), encoding="utf-8")
    yield
    shutil.rmtree(where)


def without_range(arguments: list[str], asked: Namespace) -> list[str]:
    """The arguments without the range, wherever it stands; an option may have the same text for its value."""
    for k, argument in enumerate(arguments):
        if argument == asked.range and parse([*arguments[:k], "?", *arguments[k + 1 :]]).range == "?":
            return arguments[:k] + arguments[k + 1 :]
    return arguments


def measure_here(folder: Path, machine: str, options: list[str]) -> int:
    """Measure the spikebench that is imported here."""
    package = Path(spikebench.__file__).parent
    python, variables = commits.environment_of(folder), commits.surroundings(package.parent)
    seen = commits.imported(python, variables)
    commit, why_not = commits.recordable(folder, seen)
    if commit is None:
        print(f"spikebench: results are shown but not recorded: {why_not}", file=sys.stderr)
        return call([*options, "-E", f"shared:{python}"], folder, variables)
    print(f"spikebench: {commit[:10]} as checked out, imported from {seen}", flush=True)
    before = results(folder, machine, commit)
    code = call([*options, *recorded_as(python, commit)], folder, variables)
    if commits.recordable(folder, seen)[0] != commit:
        for path in results(folder, machine, commit).keys() - before.keys():
            path.unlink()
        for path, content in before.items():
            path.write_bytes(content)
        raise Problem(f"the checkout changed while it was measured; nothing was recorded for {commit[:10]}")
    return code


def recorded_as(python: Path, commit: str) -> list[str]:
    """Arguments for the one commit that is in an environment."""
    return ["-E", f"shared:{python}", "--set-commit-hash", commit, f"{commit}^!"]


def results(folder: Path, machine: str, commit: str) -> dict[Path, bytes]:
    """asv's result files of a commit on a machine."""
    where = folder / json.loads((folder / "asv.conf.json").read_text(encoding="utf-8"))["results_dir"] / machine
    return {p: p.read_bytes() for p in where.glob(f"{commit[:8]}-*.json")}


def measure_commits(folder: Path, spec: str, steps: int | None, options: list[str]) -> int:
    """Install and measure the commits of a range, oldest first; one that cannot be installed does not end it."""
    from asv.util import pick_n

    found = commits.resolve(folder, spec)
    found = pick_n(found, steps) if steps else found
    python, worst = commits.environment_of(folder), 0
    for number, commit in enumerate(found, 1):
        print(f"spikebench: {commit[:10]}, {number} of {len(found)}", flush=True)
        try:
            seen, code = commits.install(folder, commit, python)
        except Problem as problem:
            print(f"spikebench: {commit[:10]} is not measured: {problem}", file=sys.stderr)
            worst = max(worst, 1)
            continue
        print(f"spikebench: code {code}, imported from {seen}", flush=True)
        worst = max(worst, call([*options, *recorded_as(python, commit)], folder, commits.surroundings()))
    return worst


def call(arguments: list[str], folder: Path | None = None, variables: dict[str, str] | None = None) -> int:
    """asv's exit code. The file is named and not imported: the folder must not decide which spikebench that is."""
    launcher = Path(__file__).with_name("_asv_environment.py")
    code = subprocess.call([sys.executable, "-P", str(launcher), *arguments], cwd=folder, env=variables)
    if code < 0:
        raise Problem(f"asv was ended by signal {-code}; what was measured is kept, and the same command goes on")
    return code
