"""Where processes run, and the groups in which they end together. A folder stands for the one in which the system has its groups."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from spikebench.cases.case import Layer
from spikebench.host import cgroup, cores
from spikebench.host.cgroup import Group
from spikebench.run.process import Workers
from spikebench.run.protocol import GateJob


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of this process's group, in a system that is made of files."""
    own = tmp_path / "root" / "session"
    own.mkdir(parents=True)
    (own / "cgroup.procs").write_text(str(os.getpid()))
    (tmp_path / "mounts").write_text(f"proc /proc proc rw 0 0\ncgroup2 {tmp_path}/root cgroup2 rw 0 0\n")
    (tmp_path / "cgroup").write_text("5:memory:/elsewhere\n0::/session\n")
    monkeypatch.setattr(cgroup, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(cgroup, "OWN", tmp_path / "cgroup")
    cgroup.here.cache_clear()
    yield own
    cgroup.here.cache_clear()


def test_a_group_ends_who_has_left_its_session(groups: Path) -> None:
    group = Group.made()
    assert group is not None and group.folder.parent == groups
    orphan = subprocess.Popen(["sleep", "100"], start_new_session=True)
    (group.folder / "cgroup.procs").write_text(f"{orphan.pid}\n")
    assert group.end() == 1 and (group.folder / "cgroup.kill").read_text() == "1"
    assert orphan.wait(5) == -9


def test_without_a_folder_of_its_own_there_is_no_group(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (groups / "cgroup.procs").unlink()
    assert Group.made() is None
    cgroup.here.cache_clear()
    monkeypatch.setattr(cgroup, "MOUNTS", groups / "nothing")
    assert Group.made() is None
    cgroup.join(str(groups / "nothing"))  # and who shall go into one that is gone stays where it is


def test_a_job_goes_into_a_group_and_says_where_it_ran(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joined = list[tuple[bool, str]]()
    end = Group.end

    def noted(group: Group) -> int:
        written = int((group.folder / "cgroup.procs").read_text())
        joined.append((written != os.getpid(), str(group.folder)))
        (group.folder / "cgroup.procs").write_text("")  # the system takes out who has ended
        return end(group)

    monkeypatch.setattr(Group, "end", noted)
    first = min(os.sched_getaffinity(0))
    with Workers(1, cores=[first]) as workers:
        outcome = workers.ask(GateJob(Layer("lif@eager", T=2, B=1, N=2)))
    assert outcome.status == "ok" and outcome.cores == [first] and outcome.left == 0
    assert len(joined) == 1 and joined[0][0]


def test_the_cores_of_a_process_are_those_of_all_its_threads() -> None:
    assert cores.of_process(os.getpid()) == sorted(os.sched_getaffinity(0))
    child = subprocess.Popen(["sleep", "100"])
    try:
        last = max(os.sched_getaffinity(0))
        psutil.Process(child.pid).cpu_affinity([last])
        assert cores.of_process(child.pid) == [last]
    finally:
        child.kill()
        child.wait()
    assert cores.of_process(child.pid) == []
