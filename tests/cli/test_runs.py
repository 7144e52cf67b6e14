"""What `run` says around its tables: how long it takes, what Ctrl-C leaves and how to go on, where files went; and what the app does alone."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import commands
import pytest
import typer

from spikebench import __version__, cli, plots
from spikebench.cases.case import Case
from spikebench.cli import _print
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import EnvironmentJson
from spikebench.run import runner
from spikebench.run.settings import Settings


class Fake:
    """A session whose cases take no time, and during which something may happen."""

    happens: Callable[[Case], None] = staticmethod(lambda case: None)
    deadline: float | None = None

    def __init__(self, settings: Settings) -> None:
        from spikebench.host import environment

        self.settings, self.run_id = settings, "run"
        self.environment = environment.gather().to_json() | {"threads": settings.threads}

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, case: Case, repeat: int = 0) -> Record:
        type(self).happens(case)
        samples = [Measurement("latency", "s", samples=[case.T * (1 + 0.01 * repeat)] * 20)]
        facts = cast(EnvironmentJson, self.environment)
        return Record("run", case.case_id, case.to_json(), measurements=samples, environment=facts, repeat=repeat)


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`spikebench ARGS` in this process, in a folder of its own; its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "Session", Fake)
    monkeypatch.setattr(Fake, "happens", staticmethod(lambda case: None))
    monkeypatch.setattr(plots, "draw", lambda *_, **__: [])

    def called(*args: str) -> int:
        _print.stdout.cache_clear()
        monkeypatch.setattr(sys, "argv", ["spikebench", *args])
        try:
            cli.main()
        except SystemExit as leaving:
            return int(leaving.code or 0)
        finally:
            _print.stdout.cache_clear()
        return 0

    return called


SIZES = ("--subject", "lif@fused", "-T", "1,2,3,4", "-B", "1", "-N", "1", "--metric", "latency")


def interrupt(case: Case) -> None:
    if case.T == 3:
        raise KeyboardInterrupt


@pytest.mark.parametrize("out", [("--out", "a file.jsonl"), (), ("--resume",)])
def test_ctrl_c_says_what_was_kept_and_a_command_that_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Fake, "happens", staticmethod(interrupt))
    assert run("run", *SIZES, *out) == 130
    said = capsys.readouterr()
    assert said.out == ""
    kept, on = said.err.splitlines()[-2:]
    (path,) = Path().rglob("*.jsonl")
    assert kept == f"spikebench: interrupted; kept are 2 records in {path}, of 4"
    monkeypatch.setattr(Fake, "happens", staticmethod(lambda case: None))
    words = shlex.split(on.removeprefix("go on with: "))
    assert words[0] == "spikebench" and words.count("--resume") == 1
    assert run(*words[1:]) == 0
    assert [r.case["T"] for r in store.read(path)] == [1, 2, 3, 4], "each once"
    assert "2 of 4 are done" in capsys.readouterr().err


def test_ctrl_c_after_the_file_vanished_goes_on_in_the_new_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def happens(case: Case) -> None:
        if case.T == 2:
            Path("r.jsonl").unlink()
        interrupt(case)

    monkeypatch.setattr(Fake, "happens", staticmethod(happens))
    assert run("run", *SIZES, "--out", "r.jsonl") == 130
    said = capsys.readouterr().err
    assert "r.jsonl vanished: the rest goes to r-2.jsonl, with the 1 records of this run that were lost" in said
    assert "kept are 2 records in r-2.jsonl, of 4" in said
    monkeypatch.setattr(Fake, "happens", staticmethod(lambda case: None))
    assert run(*shlex.split(said.splitlines()[-1].removeprefix("go on with: "))[1:]) == 0
    assert [r.case["T"] for r in store.read(Path("r-2.jsonl"))] == [1, 2, 3, 4]


def test_run_takes_a_library_with_the_options_that_it_can_have_and_says_so(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("-T", "8", "-B", "1", "-N", "1", "--metric", "latency", "--out", "r.jsonl")
    assert run("run", "--subject", "lif@snntorch", "--subject", "spsn", *sizes) == 0
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "taken with" in line]
    assert said.startswith("spikebench: lif@snntorch: taken with detach_reset=true, strict=true, reset_delay=true")
    subjects = [r.case["subject"] for r in store.read(Path("r.jsonl"))]
    assert subjects == ["lif[detach_reset=true,strict=true,reset_delay=true]@snntorch", "spsn@eager"]


def test_figures_are_drawn_of_several_cases_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(plots, "draw", lambda kind, *_, **__: asked.append(kind) or [])
    few = ("--subject", "lif@fused", "-B", "1", "-N", "1", "--metric", "latency", "--out", "r.jsonl")
    assert run("run", *few, "-T", "1") == 0 and asked == []
    assert run("run", *few, "-T", "1,2") == 0 and asked == ["speedup", "scaling"]


def test_any_command_says_that_it_was_interrupted(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "load", stopped)
    assert run("show", "r.jsonl") == 130
    assert capsys.readouterr().err == "spikebench: interrupted; what was finished is kept\n"


def test_before_it_starts_a_run_says_how_long_and_where_to(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", *SIZES, "--repeats", "3", "--out", "r.jsonl") == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[0].startswith("4 cases, 12 processes, about ")
    assert said.err.splitlines()[0].endswith(" s, into r.jsonl")
    assert "12 records in r.jsonl: spikebench report r.jsonl puts them on a page" in said.out
    rows = said.out.splitlines()
    assert len([row for row in rows if row.startswith("lif@fused")]) == 4
    assert "  3  1.01 s [0.985, 1.04]  " in said.out


def test_each_process_may_have_a_row(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", *SIZES, "--repeats", "3", "--each") == 0
    assert len([row for row in capsys.readouterr().out.splitlines() if row.startswith("lif@fused")]) == 12


def test_json_stands_alone_and_where_files_went_is_said_beside_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", *SIZES, "--out", "r.jsonl", "--json") == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == 4
    assert "4 records in r.jsonl" in said.err


def test_rows_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        assert capsys.readouterr().out == '[{"a": 1}', "the first row waits for the second"
        yield {"a": 2}

    _print.rows_as_json(rows())
    assert capsys.readouterr().out == ',\n{"a": 2}]\n'
    _print.rows_as_json([])
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(("status", "code"), [("failed", 1), ("timeout", 1), ("skipped", 1), ("refused", 2)])
def test_a_run_in_which_nothing_was_measured_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: Any, code: int
) -> None:
    def measure(self: Fake, case: Case, repeat: int = 0) -> Record:
        return Record("run", case.case_id, case.to_json(), status, "it broke")

    monkeypatch.setattr(Fake, "measure", measure)
    assert run("run", *SIZES, "--out", "r.jsonl") == code
    assert f"spikebench: nothing was measured: {status}: it broke" in capsys.readouterr().err
    assert len(list(store.read(Path("r.jsonl")))) == 4


LONG = ("run", "--subject", "lif@indexed", "-T", "50000", "-B", "8", "-N", "512", "--out", "r.jsonl")


@pytest.mark.parametrize(
    ("args", "terminal", "answer", "asked", "code"),
    [
        (LONG, True, True, 1, 0),
        (LONG, True, False, 1, 1),
        ((*LONG, "--yes"), True, False, 0, 0),
        ((*LONG, "--budget", "5m"), True, False, 0, 0),
        (LONG, False, False, 0, 0),
        (("run", *SIZES), True, False, 0, 0),
    ],
)
def test_a_run_of_over_ten_minutes_is_asked_for_on_a_terminal(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
    terminal: bool,
    answer: bool,
    asked: int,
    code: int,
) -> None:
    questions: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        questions.append(text)
        return answer

    monkeypatch.setattr(typer, "confirm", confirm)
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
    assert run(*args) == code
    assert len(questions) == asked
    assert Path("r.jsonl").exists() == (code == 0 and "r.jsonl" in args)
    if code:
        assert "nothing was measured" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_nothing_was_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[int] = []
    monkeypatch.setattr(Fake, "happens", staticmethod(lambda case: measured.append(case.T)))
    Path("r.jsonl").mkdir()
    assert run("run", *SIZES, "--out", "r.jsonl") == 2
    assert capsys.readouterr().err == ("spikebench: --out r.jsonl is a folder; name a file\n")
    assert measured == []


def test_the_version_is_said() -> None:
    done = commands.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"spikebench {__version__}\n", "")


def test_a_shell_completes_commands_and_options_with_what_it_was_given(tmp_path: Path) -> None:
    """bash itself reads the script that --show-completion prints, and asks the command by it."""
    program = tmp_path / "spikebench"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m spikebench "$@"\n')
    program.chmod(0o755)
    script = (
        "source <(spikebench --show-completion bash)\n"
        "complete -p spikebench | grep -q _spikebench_completion || exit 3\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spikebench_completion spikebench; echo "${COMPREPLY[*]}"\n'
    )
    root = str(Path(cli.__file__).parents[2])
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root}

    def completed(*words: str) -> list[str]:
        line = ["bash", "-c", script, "bash", "spikebench", *words]
        return subprocess.run(line, capture_output=True, text=True, check=True, env=env).stdout.split()

    assert completed("re") == ["report", "reproduce"]
    assert "--subject" in completed("run", "--su")


def test_completion_is_installed_into_the_home_folder(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"HOME": str(tmp_path)}
    asked = (
        f"{shlex.quote(sys.executable)} -m spikebench --install-completion; exit $?"  # typer asks which shell it is in
    )
    done = subprocess.run(
        ["bash", "-c", asked], cwd=commands.ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert any("_spikebench_completion" in text for text in files)
    assert "completion installed" in done.stdout
