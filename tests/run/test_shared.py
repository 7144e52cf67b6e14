"""Who writes into a result file, and what happens to it meanwhile: nothing is lost, and nothing is measured twice."""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from spikebench.cases.case import Case, grid
from spikebench.errors import Interrupted, Problem
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.result_file import ResultFile, opened
from spikebench.records.schema import EnvironmentJson
from spikebench.run import runner
from spikebench.run.settings import Settings

CASES = grid(["lif@eager"], T=list(range(1, 9)), B=[1], N=[1])
LATENCY = Settings(metrics=("latency",))


class Fake:
    """A session whose cases take as long as `wait` does."""

    wait: Callable[[Case], None] = staticmethod(lambda case: None)
    deadline: float | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings, self.environment, self.run_id = settings, {"machine": "m"}, "run"

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def measure(self, case: Case, repeat: int = 0) -> Record:
        type(self).wait(case)
        made = cast(EnvironmentJson, self.environment)
        found = [Measurement("latency", "s", samples=[1.0])]
        return Record("run", case.case_id, case.to_json(), measurements=found, environment=made, repeat=repeat)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    class Fresh(Fake):
        pass

    monkeypatch.setattr(runner, "Session", Fresh)
    return Fresh


def lengths(*paths: Path) -> list[int]:
    return sorted(r.case["T"] for r in store.load(list(paths)))


def vanish(path: Path) -> None:
    path.unlink()


def rewrite(path: Path) -> None:
    """As an editor does: a new file in its place, with one line less and another one changed."""
    lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    path.write_text(lines[0].replace('"T":1,', '"T":100,') + "".join(lines[2:]))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5)


def move_folder(path: Path) -> None:
    shutil.move(path.parent, path.parent.with_name("elsewhere"))


def replace_by_longer(path: Path) -> None:
    path.write_text("x" * 100_000 + "\n")


@pytest.mark.parametrize("harm", [vanish, rewrite, truncate, move_folder, replace_by_longer])
@pytest.mark.parametrize("when", [5, 8])
def test_what_others_do_to_the_file_is_said_at_once_and_loses_nothing(
    fake: type[Fake], tmp_path: Path, harm: Callable[[Path], None], when: int
) -> None:
    """At the last case there is no append after it: the file is looked at when the run ends, too."""
    out, said = tmp_path / "r" / "r.jsonl", list[str]()
    file = ResultFile(out, said.append)
    told: list[int] = []

    def wait(case: Case) -> None:
        if case.T == when:
            harm(out)
        told.append(len(said))

    fake.wait = staticmethod(wait)
    assert len(list(runner.run(CASES, LATENCY, file))) == 8
    assert len(said) == 1
    assert f"the rest goes to {tmp_path}/r/r-2.jsonl" in said[0]
    assert told[:when] == [0] * when and told[when:] == [1] * (8 - when)
    assert set(range(1, 9)) <= set(lengths(*(p for p in file.counts())))
    assert sum(file.counts().values()) == 8
    assert file.path == out.with_name("r-2.jsonl")
    if harm is rewrite:
        assert sorted(set(lengths(out))) == [3, *range(4, when), 100]  # what others made of it stays as it is


def test_what_others_append_is_no_harm(fake: type[Fake], tmp_path: Path) -> None:
    out, said = tmp_path / "r.jsonl", list[str]()
    other = Record("other", "c", Case("lif@eager", T=77).to_json())
    fake.wait = staticmethod(lambda case: store.append(out, other))
    file = ResultFile(out, said.append)
    list(runner.run(CASES, LATENCY, file))
    assert said == []
    assert file.told == f"8 records in {out}"
    assert len(lengths(out)) == 16


def test_a_library_user_is_warned(fake: type[Fake], tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    fake.wait = staticmethod(lambda case: vanish(out) if case.T == 4 else None)
    with pytest.warns(UserWarning, match=r"r\.jsonl vanished: the rest goes to .*r-2\.jsonl, with the 3 records"):
        list(runner.run(CASES, LATENCY, out))


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def read_only(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize(
    ("name", "call", "why"),
    [
        ("os.posix_fallocate", no_room, "No space left on device"),
        ("tempfile.TemporaryFile", read_only, "Read-only file system"),
    ],
)
def test_a_full_disk_or_a_read_only_folder_is_found_before_the_first_case(
    fake: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: Any, why: str
) -> None:
    measured: list[int] = []
    fake.wait = staticmethod(lambda case: measured.append(case.T))
    monkeypatch.setattr(f"spikebench.records.result_file.{name}", call)
    with pytest.raises(Problem, match=f"{why}; name another file with --out"):
        list(runner.run(CASES, LATENCY, tmp_path / "r.jsonl"))
    assert measured == []
    assert not (tmp_path / "r.jsonl").exists()


def test_a_folder_is_no_file(fake: type[Fake], tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is a folder; name a file"):
        list(runner.run(CASES, LATENCY, tmp_path))


def test_ctrl_c_in_any_work_says_what_was_kept(tmp_path: Path) -> None:
    record = Record("r", CASES[0].case_id, CASES[0].to_json())
    with pytest.raises(Interrupted, match=r"kept are 1 record in .*r-2\.jsonl$"), opened(tmp_path / "r.jsonl") as file:
        assert file is not None
        file.append(record)
        (tmp_path / "r.jsonl").unlink()
        with pytest.warns(UserWarning, match="vanished"):
            file.check()
        raise KeyboardInterrupt
    with pytest.raises(Interrupted, match="nothing was kept, since no file was named with --out"), opened(None):
        raise KeyboardInterrupt
    with opened(tmp_path / "r.jsonl") as file, opened(file) as same:
        assert same is file


def run_twice(fake: type[Fake], out: Path, resume: bool) -> list[tuple[str, int]]:
    """Two runs at a time into one file, the second of which begins while the first one measures its first case."""
    measured: list[tuple[str, int]] = []
    begun = threading.Event()

    def wait(case: Case) -> None:
        measured.append((threading.current_thread().name, case.T))
        begun.set()
        threading.Event().wait(0.05)

    fake.wait = staticmethod(wait)

    def one() -> None:
        list(runner.run(CASES, LATENCY, out, resume=resume))

    threads = [threading.Thread(target=one, name=name) for name in ("first", "second")]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    return measured


def test_two_runs_that_resume_one_file_share_its_cases(
    fake: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "WAIT", 0.02)
    out = tmp_path / "r.jsonl"
    measured = run_twice(fake, out, resume=True)
    assert sorted(T for _, T in measured) == list(range(1, 9)), "each once"
    assert {name for name, _ in measured} == {"first", "second"}
    assert lengths(out) == list(range(1, 9))


def test_without_resume_every_run_measures_all(fake: type[Fake], tmp_path: Path) -> None:
    measured = run_twice(fake, tmp_path / "r.jsonl", resume=False)
    assert sorted(T for _, T in measured) == sorted([*range(1, 9)] * 2)


def test_what_a_killed_run_had_taken_is_measured_by_the_other(
    fake: type[Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other waits for it, with its own cases done, and takes it when it is given back."""
    out, waits = tmp_path / "r.jsonl", list[str]()
    killed = ResultFile(out, waits.append)
    from spikebench.host import environment

    assert killed.take(f"{environment.fingerprint({'machine': 'm'})} {CASES[2].case_id} 0")
    monkeypatch.setattr(runner, "sleep", lambda _: (waits.append("waited"), killed.close()))
    said: list[tuple[str, int]] = []
    found = runner.run(CASES, LATENCY, out, resume=True, progress=lambda what, case, *_: said.append((what, case.T)))
    assert [r.case["T"] for r in found] == [1, 2, 4, 5, 6, 7, 8, 3]
    assert waits == ["waited"]
    assert ("another run measures it", 3) in said
