"""The JSON Schemas that `spikebench schema` prints: every committed record fits, and what the reader refuses does not."""

import copy
import json
from pathlib import Path
from typing import Any

import commands
import pytest

from spikebench.cases.case import Case
from spikebench.experiments.schema import KINDS, schema
from spikebench.records.record import RULES, Record
from spikebench.records.submission import Stated, Submission

jsonschema = pytest.importorskip("jsonschema")
RESULTS = Path(__file__).parents[2] / "results"
LINES = [line for path in sorted(RESULTS.rglob("*.jsonl")) for line in path.read_text().splitlines() if line.strip()]


def fits(kind: str, data: object) -> bool:
    return jsonschema.Draft202012Validator(schema(kind)).is_valid(data)


def form(data: object) -> object:
    """The names and types in a value, with every text that is no free one; all numbers of a sign are alike."""
    if isinstance(data, dict):
        free = ("run", "reason", "host", "commit", "subject", "case_id")
        return frozenset((k, form(None if k in free and isinstance(v, str) else v)) for k, v in data.items())
    if isinstance(data, list):
        return frozenset(map(form, data))
    if isinstance(data, int | float) and not isinstance(data, bool):
        return type(data).__name__, data < 0
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_schema_and_the_command_prints_it(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    assert json.loads(commands.run("schema", kind).stdout) == schema(kind)


@pytest.mark.long
def test_every_committed_record_fits_as_it_was_written() -> None:
    """What has the same form as a record before it, with the same words and other numbers, is not tried again."""
    record, case = (jsonschema.Draft202012Validator(schema(kind)) for kind in ("record", "case"))
    assert len(LINES) > 1900
    forms = {form(data): data for line in LINES if (data := json.loads(line))}
    assert len(forms) > 100
    for data in forms.values():
        assert next(record.iter_errors(data), None) is None
        assert next(case.iter_errors(data["case"]), None) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 0),
        (("schema",), 99),
        (("run",), None),
        (("case", "T"), "128"),
        (("status",), "fine"),
        (("flags",), "stolen"),
        (("measurements", 0, "samples", 0), "1"),
        (("measurements", 0, "unit"), 1),
        (("environment", "versions"), {"torch": 2}),
        (("environment", "time"), 1e11),
        (("gate", "probes", 0, "passed"), 1),
        (("gate", "probes", 0, "series"), None),
    ],
)
def test_what_the_reader_refuses_does_not_fit(path: tuple[str | int, ...], value: object) -> None:
    data = json.loads(next(line for line in LINES if '"probes":[{' in line and '"status":"ok"' in line))
    assert fits("record", data)
    broken: Any = copy.deepcopy(data)
    place = broken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not fits("record", broken)
    with pytest.raises(ValueError, match=r"is not|schema"):
        Record.from_json(broken)
    del place[path[-1]]
    if isinstance(path[-1], str) and path[-1] in ("run", "T", "series", "passed", "unit"):
        assert not fits("record", broken)
        with pytest.raises(ValueError, match="is not"):
            Record.from_json(broken)


def test_every_kind_of_case_fits_and_words_that_are_none_do_not() -> None:
    cases = [
        Case("lif"),
        Case("lif", network="shd", workload="network"),
        Case("lif", workload="training", task="digits"),
    ]
    assert all(fits("case", c.to_json()) for c in cases)
    for field, value in (("mode", "backward"), ("dtype", "int8"), ("T", -1), ("device", "tpu"), ("options", None)):
        assert not fits("case", {**cases[0].to_json(), field: value})


def test_a_submission_fits_and_its_text_is_read_again(tmp_path: Path) -> None:
    stated = Stated("0123456789ab", "ba9876543210", "faster", 2.1, 2.0, 2.2, 5)
    texts = (
        "odd",
        RULES,
        'A "B" \\ C',
        "MIT",
        "0" * 40,
        "neuron.py:Leaky@eager",
        "lif",
        "@misc{x,\n  title = {é\x07}}",
    )
    made = Submission(*texts, {"records.jsonl": "f" * 64, "a b.py": "0" * 64}, [stated, stated])
    (tmp_path / "submission.toml").write_text(made.to_toml())
    assert Submission.read(tmp_path) == made
    assert fits("submission", {**vars(made), "verdicts": [vars(stated)], "replications": []})
    (tmp_path / "submission.toml").write_text(made.to_toml().replace("pairs = 5", 'pairs = "5"'))
    with pytest.raises(ValueError, match=r"verdicts\[0\]\.pairs is not a whole number"):
        Submission.read(tmp_path)
