"""Submissions: a right one is reported, and each of the doctored ones is refused by the rule that it breaks."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import commands
import pytest
import submitted

from spikebench.errors import Problem
from spikebench.experiments.submit import LARGEST, Examined, examine_submission
from spikebench.loading.innocent import suspicious
from spikebench.records import store
from spikebench.records.files import sha256
from spikebench.records.record import Record
from spikebench.records.submission import FILE, RECORDS, Replication, Submission

SUBMITTED = sorted(p.parent for p in (Path(__file__).parents[2] / "submissions").glob(f"*/{FILE}"))
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    submitted.made(tmp_path / "leaky")
    return tmp_path / "leaky"


def edited(folder: Path, change: Change, every: bool = False, sealed: bool = True) -> None:
    """Change the last record, or every one; `sealed`: the hash in the submission is that of the new file."""
    lines = [json.loads(line) for line in (folder / RECORDS).read_text().splitlines()]
    for data in lines if every else lines[-1:]:
        change(data)
    (folder / RECORDS).write_text("".join(json.dumps(data) + "\n" for data in lines))
    if sealed:
        restated(folder)


def restated(folder: Path, **changes: Any) -> None:
    """Write the submission again with other fields, and the hashes of the files that are there."""
    made = Submission.read(folder)
    files = {p.name: sha256(p) for p in folder.iterdir() if p.name != FILE}
    (folder / FILE).write_text(replace(made, **({"files": files} | changes)).to_toml())


def latency(data: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in data["measurements"] if m["metric"] == "latency")


def scaled(factor: float) -> Change:
    def change(data: dict[str, Any]) -> None:
        latency(data)["samples"] = [factor * v for v in latency(data)["samples"]]

    return change


def only_mine(change: Change) -> Change:
    return lambda data: change(data) if ":" in data["case"]["neuron"] else None


def samples_edited(folder: Path) -> None:
    edited(folder, scaled(0.5), sealed=False)


def samples_edited_and_sealed(folder: Path) -> None:
    edited(folder, only_mine(scaled(0.9)), every=True)


def gate_forged(folder: Path) -> None:
    edited(folder, lambda data: data["gate"].update(status="passed"))


def gate_forged_of_ours(folder: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        for probe in data["gate"]["probes"]:
            probe["worst_margin"] = 3.5

    edited(folder, change, every=True)


def gate_red(folder: Path) -> None:
    edited(folder, lambda data: data["gate"].update(status="failed", reason="other spikes"), every=True)


def baseline_red(folder: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        if ":" not in data["case"]["neuron"]:
            data["gate"].update(status="failed", reason="other spikes")

    edited(folder, change, every=True)


def devices_mixed(folder: Path) -> None:
    edited(folder, lambda data: data["environment"].update(machine="b-machine"))


def commits_mixed(folder: Path) -> None:
    edited(folder, lambda data: data["environment"].update(commit="d" * 40))


def changes_not_committed(folder: Path) -> None:
    edited(folder, lambda data: data["environment"].update(dirty="0123"), every=True)


def schema_broken(folder: Path) -> None:
    edited(folder, lambda data: data.update(flags="none"))


def verdict_overstated(folder: Path) -> None:
    restated(folder, verdicts=[replace(v, ratio=4.0, low=3.9, high=4.1) for v in Submission.read(folder).verdicts])


def time_impossible(folder: Path) -> None:
    edited(folder, only_mine(scaled(0.01)), every=True)


def bound_taken_out(folder: Path) -> None:
    edited(folder, lambda data: latency(data)["detail"].pop("copied"), every=True)


def reads_the_clock(folder: Path) -> None:
    for name in ("leaky.py", "timed.py"):
        (folder / name).unlink(missing_ok=True)
    (folder / "leaky.py").write_text(submitted.TIMED)
    digest = sha256(folder / "leaky.py")
    edited(folder, only_mine(lambda data: data["environment"].update(source=digest)), every=True)


def path_outside(folder: Path) -> None:
    restated(folder, files={**Submission.read(folder).files, "../../secret": "0" * 64})


def named_as_another(folder: Path) -> None:
    restated(folder, name="../good")


def link_outside(folder: Path) -> None:
    (folder / "notes.txt").symlink_to("/etc/hostname")


def huge(folder: Path) -> None:
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(LARGEST + 1)


def wrong_hash(folder: Path) -> None:
    restated(folder, files=dict.fromkeys(Submission.read(folder).files, "0" * 64))


def other_neuron(folder: Path) -> None:
    (folder / "leaky.py").write_text(submitted.SOFTER)
    restated(folder)


def other_subject(folder: Path) -> None:
    restated(folder, subject="lif@cpu")


def flag_taken_out(folder: Path) -> None:
    edited(folder, lambda data: data["environment"].update(other_cpu=0.9))


def bimodal(folder: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        latency(data)["samples"][0] /= 3

    edited(folder, change, every=True)


def throttled(folder: Path) -> None:
    edited(folder, lambda data: data["environment"].update(throttle_reasons=["heat (hardware)"]))


def flagged(folder: Path) -> None:
    edited(folder, lambda data: data["flags"].append("throttled"))


def four_pairs(folder: Path) -> None:
    lines = (folder / RECORDS).read_text().splitlines(keepends=True)
    (folder / RECORDS).write_text("".join(lines[:-2]))
    restated(folder, verdicts=[replace(v, pairs=4) for v in Submission.read(folder).verdicts])


def case_changed(folder: Path) -> None:
    edited(folder, lambda data: data["case"].update(T=4096))


def block_twice(folder: Path) -> None:
    (folder / RECORDS).write_text((folder / RECORDS).read_text() * 2)
    restated(folder)


def other_environment(folder: Path) -> None:
    edited(folder, lambda data: data["environment"].update(python="3.12.0"), every=True)


DOCTORED: dict[Callable[[Path], None], tuple[str, str]] = {
    samples_edited: ("hashes", "records.jsonl has the SHA-256"),
    samples_edited_and_sealed: ("verdicts", "its samples give faster 2.2"),
    gate_forged: ("gate", "nothing compares somebody's own file"),
    gate_forged_of_ours: ("gate", "0 of 16 series differ, by up to 3.5"),
    gate_red: ("gate", "other spikes"),
    devices_mixed: ("device", "2 machines"),
    commits_mixed: ("commit", "2 commits"),
    changes_not_committed: ("commit", "uncommitted changes 0123"),
    schema_broken: ("schema", "flags is not a list"),
    verdict_overstated: ("verdicts", "states faster 4 [3.9, 4.1]; its samples give faster 2"),
    time_impossible: ("bound", "must move"),
    bound_taken_out: ("bound", "how long a copy of its input takes"),
    reads_the_clock: ("code", "leaky.py:5 imports time"),
    path_outside: ("schema", "'../../secret' is no name of a file in the folder"),
    named_as_another: ("schema", "it is named '../good' and lies in the folder 'leaky'"),
    link_outside: ("files", "'notes.txt' is no plain file"),
    huge: ("files", f"'weights.bin' has {LARGEST + 1} bytes"),
    wrong_hash: ("hashes", "it was edited"),
    other_neuron: ("source", "it is another neuron"),
    other_subject: ("subject", "the submission is of lif@cpu"),
    flag_taken_out: ("quiet", "other_cpu 0.9 and no flag contended"),
    bimodal: ("quiet", "no flag bimodal"),
    throttled: ("quiet", "throttle_reasons heat (hardware) and no flag throttled"),
    flagged: ("quiet", "has the flag throttled"),
    four_pairs: ("pairs", "4 pairs; 5 are the least"),
    case_changed: ("records", "its case was changed"),
    block_twice: ("records", "twice in block 0"),
    other_environment: ("environment", "python is 3.12.0"),
}


def broken(found: Examined) -> dict[str, str]:
    return {f.rule: f.detail for f in found.results if f.passed is False}


def test_a_right_one_keeps_every_rule(folder: Path) -> None:
    found = examine_submission(folder, run=False)
    assert broken(found) == {} and (found.grade, found.name) == ("reported", "leaky")
    assert [f.rule for f in found.results if f.passed is None] == ["neuron"]
    (stated,) = Submission.read(folder).verdicts
    assert stated.verdict == "faster" and 1.95 < stated.low < 2 < stated.high < 2.05 and stated.pairs == 5


@pytest.mark.parametrize("doctor", DOCTORED, ids=lambda f: f.__name__)
def test_a_doctored_one_is_refused_by_its_rule(folder: Path, doctor: Callable[[Path], None]) -> None:
    doctor(folder)
    found = examine_submission(folder, run=False)
    rule, why = DOCTORED[doctor]
    assert not found.passed and found.grade is None
    assert why in broken(found)[rule]


@pytest.mark.parametrize("own", SUBMITTED, ids=lambda p: p.name)
def test_a_committed_one_keeps_every_rule_and_a_doctored_copy_does_not(own: Path, tmp_path: Path) -> None:
    """Of records that a machine made: as they are, with a red gate, and with samples a tenth shorter."""
    found = examine_submission(own, run=False)
    assert broken(found) == {} and found.grade in ("reported", "replicated")
    for doctor, rule in ((baseline_red, "gate"), (samples_edited_and_sealed, "verdicts")):
        copy = shutil.copytree(own, tmp_path / doctor.__name__ / own.name)
        doctor(copy)
        assert broken(examine_submission(copy, run=False)).keys() == {rule}


@pytest.mark.slow
@pytest.mark.parametrize("own", SUBMITTED, ids=lambda p: p.name)
def test_a_committed_one_is_executed_and_accepted(own: Path) -> None:
    done = commands.run("submit", "check", str(own))
    assert done.returncode == 0 and f"{own.name} is rep" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_command_executes_it_shut_in(folder: Path) -> None:
    done = commands.run("submit", "check", str(folder))
    assert done.returncode == 0, done.stdout
    assert "equals lif" in done.stdout and "leaky is reported" in done.stdout


@pytest.mark.long
def test_one_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    submitted.made(tmp_path / "other", submitted.SOFTER)
    done = commands.run("submit", "check", str(tmp_path / "other"))
    assert done.returncode == 1 and "other is refused: neuron: definition: differs from lif" in done.stderr


def test_records_of_somebody_else_replicate_it(tmp_path: Path, folder: Path) -> None:
    def with_second(who: str, seconds: float) -> Examined:
        second = submitted.records(tmp_path / "leaky.py", seconds, machine="b-machine", host="there")
        (folder / "second.jsonl").write_bytes(b"".join(map(store.line, second)))
        restated(folder, replications=[Replication(who, "second.jsonl")])
        return examine_submission(folder, run=False)

    assert (with_second("B. Other", 1.2e-3).grade, with_second("A. Person", 1.2e-3).grade) == ("replicated", "reported")
    slow = with_second("B. Other", 3e-3)
    assert slow.grade == "reported" and "B. Other finds slower where faster is stated" in slow.why


def test_what_cannot_be_made_is_said_in_a_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(Problem, match="is there already"):
        submitted.made(folder)
    done = commands.run(
        "submit", "new", str(tmp_path / "n"), "--subject", "lif@cpu", "--definition", "lif", "--who", "I"
    )
    assert done.returncode == 2 and done.stderr == "spikebench: submit new: give it --from\n"
    line = ["--from", str(folder / RECORDS), "--subject", "lif@cpu", "--definition", "lif", "--who", "I"]
    done = commands.run("submit", "new", str(tmp_path / "n"), *line)
    assert "no pairs of lif@cpu and lif@eager are in these records, which have lif@eager" in done.stderr


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("from torch import os", "imports os"),
        ("import torch.utils.benchmark", "imports benchmark"),
        ("from . import helper", "imports from its folder"),
        ("__import__('time')", "uses __import__"),
        ("torch.cuda.Event()", "uses Event"),
        ("x = (", "is not Python"),
    ],
)
def test_a_file_that_uses_what_no_neuron_needs(line: str, why: str) -> None:
    assert why in (suspicious(line, "n.py") or "")
    assert suspicious(submitted.LEAKY, "n.py") is None


def test_records_carry_the_version_of_the_rules(folder: Path) -> None:
    old = {k: v for k, v in json.loads((folder / RECORDS).read_text().splitlines()[0]).items() if k != "rules"}
    assert Record.from_json(old).rules is None and "rules" not in Record.from_json(old).to_json()
    assert os.path.basename(folder) == Submission.read(folder).name
