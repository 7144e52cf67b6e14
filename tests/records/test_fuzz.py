"""Records in which one field is wrong: reading skips it with its reason, and what reads records never ends in a traceback."""

import contextlib
import copy
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spikebench.cli.app import app
from spikebench.errors import Problem
from spikebench.records import store, typed
from spikebench.records.record import Record

ROOT = Path(__file__).parents[2]
WRONG: list[Any] = [None, True, -1, 0, 1.5, 1e308, 10**30, "", "x" * 5000, "\x1b[2J\x9b31m", "=1+1", "\ud800"]
WRONG += [[], [1, "a"], {}, {"a": []}]
At = tuple[str | int, ...]


def of_each_kind() -> dict[tuple[object, ...], Any]:
    """One committed record of every workload, device, status and schema, single and of a comparison."""
    found: dict[tuple[object, ...], Any] = {}
    for path in sorted((ROOT / "results").rglob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            data = json.loads(line)
            if case := data.get("case"):
                kind = (
                    case.get("workload"),
                    case.get("device"),
                    data["status"],
                    bool(data.get("pairs")),
                    data["schema"],
                )
                found.setdefault(kind, data)
    return found


def places(value: Any, here: At = ()) -> Iterator[At]:
    """Where every field is; of a list the first entry."""
    if here:
        yield here
    inside = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*here, key))


def mutants(record: Any) -> Iterator[tuple[At, Any, Any]]:
    """The record with one field replaced: where, by what, and the whole."""
    for place in places(record):
        for wrong in WRONG:
            made = copy.deepcopy(record)
            part = made
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = wrong
            yield place, wrong, made


def survivors() -> tuple[int, list[tuple[At, Any, Any]]]:
    """How many records were made, and those that are read, because the field may have that value or is not declared."""
    count, kept = 0, []
    for record in of_each_kind().values():
        for mutant in mutants(record):
            count += 1
            try:
                Record.from_json(mutant[2])
            except ValueError as error:
                assert str(error) and "\n" not in str(error)[:300]
            else:
                kept.append(mutant)
    return count, kept


COUNT, READ = survivors()
FAST = (["show"], ["show", "--json"], ["show", "--growth"], ["show", "--floor"], ["export", "--to", "github"], ["diff"])
SLOW = [["reproduce", "--from"], ["report"], ["site"]]
SLOW += [["plot", kind] for kind in ("speedup", "scaling", "pareto", "learning")]


def test_every_field_is_replaced_and_most_are_refused() -> None:
    assert COUNT > 6000 and 0.05 * COUNT < len(READ) < 0.4 * COUNT


def test_a_skipped_record_says_which_field_is_wrong(tmp_path: Path) -> None:
    record = next(iter(of_each_kind().values()))
    path, notes = tmp_path / "r.jsonl", list[str]()
    wrong = [("case", "T", "many"), ("environment", "commit", 7)]
    lines = [json.dumps(record | {part: record[part] | {name: value}}) for part, name, value in wrong]
    path.write_text("\n".join([*lines, json.dumps(record)]) + "\n")
    assert len(list(store.read(path, notes))) == 1
    assert [n.split("skipped: ")[1] for n in notes] == [
        "case.T is not a whole number",
        "environment.commit is not a text or null",
    ]


def test_deeply_nested_or_huge_values_are_named() -> None:
    for value, why in (({"run": 5}, "run is not a text"), ([], "the record is not an object")):
        with pytest.raises(ValueError, match=why):
            typed.check(value, Record)


def ended_well(command: list[str], lines: list[Any], folder: Path) -> str | None:
    """The exception of a command on a file of these records that is no refusal, or None."""
    path = folder / "r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    name, *options = command
    files = [str(path)] * (2 if name == "diff" else 1)
    out = ["-o", str(folder / "out.html" if name == "report" else folder)] * (name in ("report", "plot", "site"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            app([name, *options, *files, *out], standalone_mode=False)
        except (Problem, SystemExit):
            return None
        except Exception as error:  # noqa: BLE001  # any is what is looked for
            return None if type(error).__module__.partition(".")[0] in ("click", "typer") else repr(error)
    return None


def through(commands: list[list[str]], count: int, folder: Path) -> None:
    chosen = random.Random(0).sample(READ, min(count, len(READ)))
    for command in commands:
        for start in range(0, len(chosen), 150):
            part = [made for *_, made in chosen[start : start + 150]]
            if ended_well(command, part, folder) is not None:
                bad = [(at, wrong, e) for at, wrong, made in chosen if (e := ended_well(command, [made], folder))]
                pytest.fail(f"{command}: {bad[:5]}")


def test_no_command_that_reads_records_ends_in_a_traceback(tmp_path: Path) -> None:
    through(list(FAST), 100, tmp_path)


@pytest.mark.slow
def test_no_command_that_draws_or_judges_records_ends_in_a_traceback(tmp_path: Path) -> None:
    through([*FAST, *SLOW], 600, tmp_path)
