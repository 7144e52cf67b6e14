"""`sb.submit` makes a submission of records, and `sb.examine_submission` checks one against the rules of docs/rules.md."""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikebench.analysis import submission as rules
from spikebench.analysis.submission import Grade, RuleResult
from spikebench.cases.arguments import asked
from spikebench.cases.case import Case
from spikebench.cases.subject import defined, foreign_file, parse_subject
from spikebench.errors import Problem
from spikebench.experiments.check import check
from spikebench.experiments.results import Source, records_of
from spikebench.host import environment
from spikebench.loading.innocent import suspicious
from spikebench.records import store
from spikebench.records.files import folder, folder_to_write, sha256
from spikebench.records.record import RULES, Record
from spikebench.records.submission import ENVIRONMENT, FILE, RECORDS, Stated, Submission

LARGEST, MOST_FILES = 20 * 2**20, 20  # bytes of a file, and files of a submission
TIMEOUT = 300.0


@dataclass(frozen=True)
class Examined:
    """What became of every rule, and the grade of a submission that keeps them all."""

    name: str
    results: list[RuleResult]
    grade: Grade | None = None
    why: str = ""

    @property
    def passed(self) -> bool:
        """Whether no rule is broken."""
        return all(f.passed is not False for f in self.results)


@asked
def submit(
    path: str | Path,
    source: Source,
    subject: str,
    definition: str,
    who: str,
    licence: str = "Apache-2.0",
    citation: str = "",
    baseline: str = "lif@eager",
    doi: str | None = None,
) -> Submission:
    """Make the folder of a submission from records: what is of the subject and its baseline, and the subject's own file.

    A verdict is stated for every case that both were measured at. `definition` is the neuron of ours that the subject must
    equal. Raises Problem where there is nothing to state, or where a submission is there already.
    """
    where = folder_to_write(Path(path), "the submission's folder")
    if (where / FILE).exists():
        raise Problem(f"{where / FILE} is there already; name another folder")
    mine, base = str(parse_subject(subject)), str(parse_subject(baseline))
    records = [r for r in records_of(source) if r.case["subject"] in (mine, base)]
    verdicts = _stated(records, mine, base)
    used = {id_ for v in verdicts for id_ in (v.case_id, v.baseline_id)}
    records = [r for r in records if r.case_id in used]
    parsed = parse_subject(subject)
    where.mkdir(parents=True, exist_ok=True)
    if (own := foreign_file(parsed)) is not None:
        shutil.copyfile(own, where / own.name)
    (where / RECORDS).write_bytes(b"".join(map(store.line, records)))
    facts = {k: records[0].environment.get(k) for k in (*environment.PRINT, "cpu", "os")}
    (where / ENVIRONMENT).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    files = {p.name: sha256(p) for p in sorted(where.iterdir()) if p.name != FILE}
    name, commit = where.resolve().name, str(facts["commit"])
    texts = (name, RULES, who, licence, commit, mine, str(defined(definition)), citation)
    made = Submission(*texts, files, verdicts, doi=doi)
    (where / FILE).write_text(made.to_toml(), encoding="utf-8")
    return made


def _stated(records: Sequence[Record], mine: str, base: str) -> list[Stated]:
    """The verdicts that records allow on a subject against its baseline."""
    from spikebench.analysis.paired import point

    points: dict[object, dict[str, str]] = {}
    for r in records:
        points.setdefault(point(r), {})[str(r.case["subject"])] = r.case_id
    wanted = [Stated(at[mine], at[base], "same", 1, 1, 1, 0) for at in points.values() if {mine, base} <= at.keys()]
    found = [v for v in rules.recomputed(records, wanted) if v is not None]
    if not found:
        there = ", ".join(sorted({str(r.case["subject"]) for r in records})) or "neither"
        raise Problem(
            f"no pairs of {mine} and {base} are in these records, which have {there}; measure both with compare"
        )
    return found


@asked
def examine_submission(path: str | Path, run: bool = True) -> Examined:
    """Check a submission against the rules: its files, its records, and the neuron itself, which is executed unless `run` is False.

    What is executed has no network and writes nowhere but in a scratch folder, as far as the kernel allows it; the row
    "neuron" says how far. Later rules are not tried where earlier ones leave nothing to try them on.
    """
    where = folder(Path(path), "the submission's folder")
    found: list[RuleResult] = []
    files = next(_files(where), None)
    found.append(RuleResult("files", files is None, files or "plain files, small enough, in one folder"))
    if files:
        return Examined(where.name, found)
    try:
        made, records = _read(where)
    except (ValueError, Problem) as error:
        return Examined(where.name, [*found, RuleResult("schema", False, str(error))])
    found.append(RuleResult("schema", True, f"{len(records)} records and {FILE} are of the declared types"))
    wrong = next(_hashes(where, made), None)
    found.append(RuleResult("hashes", wrong is None, wrong or f"{len(made.files)} files are the ones that are named"))
    wrong = next(_environment(where, records), None)
    found.append(RuleResult("environment", wrong is None, wrong or "it is that of every record"))
    found += rules.judged(made, records)
    found += _neuron(where, made, records, run and all(f.passed for f in found))
    if any(f.passed is False for f in found):
        return Examined(made.name, found)
    return Examined(made.name, found, *graded(where, made))


def graded(where: Path, made: Submission) -> tuple[Grade, str]:
    """The grade of a submission that keeps the rules, and who replicated it or why it is not replicated."""
    return rules.grade(made, {r.who: list(store.read(where / r.file)) for r in made.replications})


def _files(where: Path) -> Iterator[str]:
    """What is no plain file of a moderate size in the folder itself."""
    there = sorted(os.scandir(where), key=lambda e: e.name)
    if len(there) > MOST_FILES:
        yield f"{len(there)} files; at most {MOST_FILES} are allowed"
    for entry in there:
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            yield f"{entry.name!r} is no plain file: a submission has no folders, links or devices"
        elif found.st_size > LARGEST:
            yield f"{entry.name!r} has {found.st_size} bytes; at most {LARGEST} are allowed"
    if missing := next((n for n in (FILE, RECORDS, ENVIRONMENT) if not (where / n).is_file()), None):
        yield f"{missing} is not there"


def _read(where: Path) -> tuple[Submission, list[Record]]:
    """The submission and its records; ValueError for anything that is not of the declared types."""
    made, notes = Submission.read(where), list[str]()
    if made.rules != RULES:
        raise ValueError(f"it names rules {made.rules}; this version checks {RULES}")
    if made.name != where.resolve().name:
        raise ValueError(f"it is named {made.name!r} and lies in the folder {where.resolve().name!r}")
    for name in (*made.files, *(r.file for r in made.replications)):
        if not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
            raise ValueError(f"{name!r} is no name of a file in the folder: paths lead outside")
    if empty := next(
        (k for k in ("who", "licence", "commit", "subject", "definition") if not getattr(made, k).strip()), 0
    ):
        raise ValueError(f"{empty} is empty")
    records = list(store.read(where / RECORDS, notes))
    if notes or not records:
        raise ValueError(notes[0].removeprefix(f"{where}/") if notes else f"{RECORDS} holds no record")
    if loose := next((r.file for r in made.replications if r.file not in made.files), None):
        raise ValueError(f"{loose} is replicated in, and has no hash in {FILE}")
    for text in (made.subject, str(defined(made.definition))):
        parse_subject(text)
    for r in records:
        Case.from_json(r.case)
    return made, records


def _hashes(where: Path, made: Submission) -> Iterator[str]:
    there = {p.name for p in where.iterdir()} - {FILE}
    if left := sorted(there ^ set(made.files)):
        yield f"{left[0]} is {'not named in' if left[0] in there else 'missing, and named in'} {FILE}"
    for name in sorted(there & set(made.files)):
        if (found := sha256(where / name)) != made.files[name]:
            yield f"{name} has the SHA-256 {found[:12]}…, and {FILE} says {made.files[name][:12]}…: it was edited"


def _environment(where: Path, records: Sequence[Record]) -> Iterator[str]:
    try:
        facts = json.loads((where / ENVIRONMENT).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        yield f"{ENVIRONMENT} is not JSON: {error}"
        return
    if not isinstance(facts, dict) or not set(environment.PRINT) <= facts.keys():
        yield f"{ENVIRONMENT} lacks some of {', '.join(environment.PRINT)}"
        return
    for r in records:
        if other := next((k for k, v in facts.items() if r.environment.get(k) != v), None):
            yield f"{other} is {r.environment.get(other)} in the record of run {r.run}, block {r.repeat}, and not {facts[other]}"


def _neuron(where: Path, made: Submission, records: Sequence[Record], run: bool) -> Iterator[RuleResult]:
    """The neuron's file is the one that was measured, imports nothing suspicious, and computes what its definition does."""
    subject = parse_subject(made.subject)
    own = foreign_file(subject)
    if own is not None:
        wrong = next(_source(where / own.name, made, records), None)
        yield RuleResult("source", wrong is None, wrong or f"{own.name} is the file that was measured")
        if wrong:
            return
        text = (where / own.name).read_text("utf-8", errors="replace")
        wrong = suspicious(text, own.name)
        yield RuleResult("code", wrong is None, wrong or "it imports and uses nothing suspicious")
        run = run and wrong is None
    elif parse_subject(made.definition).name != subject.name:
        yield RuleResult(
            "source", False, f"{made.subject} is compared with its own definition, and not with {made.definition}"
        )
        return
    if not run:
        yield RuleResult("neuron", None, "not executed")
        return
    yield _executed(where, made)


def _source(file: Path, made: Submission, records: Sequence[Record]) -> Iterator[str]:
    if not file.is_file():
        yield f"{file.name} is not there, which {made.subject} names"
        return
    digest = sha256(file)
    for r in records:
        if r.case["subject"] == made.subject and (measured := r.environment.get("source")) != digest:
            said = f"{measured[:12]}…" if measured else "no hash"
            yield f"{file.name} has the SHA-256 {digest[:12]}…, and what was measured has {said}: it is another neuron"


def _executed(where: Path, made: Submission) -> RuleResult:
    """What `check` says of the neuron, shut in."""
    subject = parse_subject(made.subject)
    own = foreign_file(subject)
    text = str(subject) if own is None else str(subject).replace(str(own), str((where / own.name).resolve()), 1)
    try:
        rows = check(text, like=made.definition if own else None, timeout=TIMEOUT, enclosed=True)
    except Problem as problem:
        return RuleResult("neuron", False, str(problem))
    held = next((row.detail for row in rows if row.check == "enclosure"), "it was not shut in")
    bad = next((row for row in rows if row.passed is False), None)
    compared = next((row for row in rows if row.check == "definition"), None)
    if own is None and bad is not None and bad.check == "run" and bad.detail.startswith("refused"):
        return RuleResult("neuron", None, f"not executed on this machine: {bad.detail}")
    if bad is None and (compared is None or not compared.passed):
        return RuleResult("neuron", False, f"it was compared with no definition: {compared.detail if compared else ''}")
    return RuleResult(
        "neuron", bad is None, f"{bad.check}: {bad.detail}" if bad else f"{compared.detail if compared else ''}; {held}"
    )
