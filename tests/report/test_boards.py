"""The site of records and submissions: what its pages say, and how they work in a browser, from a disk."""

import csv
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import browser
import pytest
import submitted

from spikebench.analysis.submission import RuleResult
from spikebench.cases.case import Case, with_changes
from spikebench.experiments.site import site
from spikebench.records import store
from spikebench.records.files import sha256
from spikebench.records.record import Record
from spikebench.records.submission import FILE, RECORDS, Submission
from spikebench.report.cite import latex, permalink
from spikebench.report.site import boards
from spikebench.report.site.pages import Site, Submitted

SIZES = (64, 128)


def measured() -> list[Record]:
    """Three subjects at two sizes in five blocks, one of them on another machine too, and one that was wrong."""
    found: list[Record] = []
    for T, k in itertools.product(SIZES, range(5)):
        base = Case("lif@eager", T=T, B=2, N=16)
        for subject, seconds in (("lif@eager", 2e-3), ("lif@cpu", 1e-3), ("psu@eager", 4e-3)):
            found.append(submitted.record(with_changes(base, subject=subject), seconds, k))
        found.append(submitted.record(base, 1e-4, k, machine="b-machine", host="there"))
    wrong = replace(found[0], status="wrong", reason="spikes <b>differ</b> & more", measurements=[], run="b-run")
    return [*found, wrong]


def red(folder: Path) -> None:
    """Make the gate of its baseline red, in records that are sealed again."""
    found = [
        replace(r, gate=r.gate and replace(r.gate, status="failed", reason="other spikes"))
        for r in store.load(folder / RECORDS)
    ]
    (folder / RECORDS).write_bytes(b"".join(map(store.line, found)))
    made = Submission.read(folder)
    sealed = replace(made, files={**made.files, RECORDS: sha256(folder / RECORDS)})
    (folder / FILE).write_text(sealed.to_toml())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of these records and three submissions: a good one, one whose gate is red, and one with edited samples."""
    root = tmp_path_factory.mktemp("site")
    (root / "results").mkdir()
    (root / "results" / "a.jsonl").write_bytes(b"".join(map(store.line, measured())))
    for name in ("good", "red", "edited"):
        (root / "submissions" / name).parent.mkdir(exist_ok=True)
        submitted.made(root / "submissions" / name)
    file = root / "submissions" / "edited" / RECORDS
    file.write_text(file.read_text().replace('"resolution":1e-07', '"resolution":1e-08'))
    red(root / "submissions" / "red")
    site([root / "results", root / "submissions"], root / "site")
    return root / "site"


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    if browser.program() is None:
        pytest.skip(f"no browser: none of {', '.join(browser.NAMES)} is installed")
    with browser.page() as page:
        yield page


def opened(tab: browser.Page, folder: Path, page: str) -> browser.Page:
    tab.said.clear()
    tab.asked.clear()
    tab.look(1400, 900)
    tab.open("about:blank")
    tab.open(f"{(folder / page.partition('#')[0]).as_uri()}{''.join(page.partition('#')[1:])}")
    return tab


def board_page(folder: Path) -> str:
    return next(f"boards/{p.name}" for p in sorted((folder / "boards").glob("a-machine*-t64-*.html")))


def column(page: browser.Page, k: int, table: int = 0) -> list[str]:
    return page.js(
        f"[...document.querySelectorAll('table.rows')[{table}].tBodies[0].rows].map(r => r.cells[{k}].textContent)"
    )


def test_subjects_are_ranked_within_one_device_and_origin_alone() -> None:
    found = boards.boards(measured())
    assert len(found) == 4 and {b.device for b in found} == {"a-machine", "b-machine"}
    mine = next(b for b in found if b.device == "a-machine" and b.setting["T"] == 64)
    (table,) = mine.tables
    assert [(row.cells[0].text, row.name) for row in table.rows] == [
        ("1", "lif@fused"),
        ("—", "lif@eager"),
        ("2", "psu@eager"),
    ]
    assert table.pairs["1,0"].startswith("faster, 2.0") and table.pairs["0,1"].startswith("slower, 0.")
    assert "faster" in table.pairs["2,1"]


def test_what_proves_nothing_has_no_rank() -> None:
    four = [r for r in measured() if r.repeat < 4]
    assert {row.cells[0].text for b in boards.boards(four) for t in b.tables for row in t.rows} == {"—"}
    for flag in ("ungated", "shared"):
        flagged = [replace(r, flags=[flag]) for r in measured()[:-1]]
        assert {row.cells[0].text for b in boards.boards(flagged) for t in b.tables for row in t.rows} == {"—"}
    other = [replace(r, environment={**r.environment, "commit": "d" * 40}) for r in measured()[:-1]]
    tables = boards.boards([*measured()[:-1], *other])[0].tables
    assert len(tables) == 2 and all(row.cells[0].text == "1" for t in tables for row in t.rows[:1])


@pytest.mark.parametrize("executed, rank, gate", [(True, "1", "checked"), (None, "—", "none")])
def test_a_submitted_neuron_has_a_rank_where_it_was_executed(
    tmp_path: Path, executed: bool | None, rank: str, gate: str
) -> None:
    """Its records have no gate. Those of the same file that are in no submission, or on a shared machine, have no rank."""
    made = submitted.made(tmp_path / "good")
    records = store.load(tmp_path / "good" / RECORDS)
    results = [RuleResult("neuron", executed, "")]

    def ranks(records: list[Record], more: Sequence[Record] = ()) -> dict[str, tuple[str, str]]:
        good = Submitted("good", made, results, "reported", "", records)
        (board,) = Site.of(more, [good]).boards
        cells = (row.cells for row in board.tables[0].rows)
        return {c[1].text.rpartition("/")[2]: (c[0].text, c[4].text) for c in cells}

    mine, base = "leaky.py:Leaky@eager", "lif@eager"
    assert ranks(records) == {mine: (rank, gate), base: ("2" if executed else "1", "passed")}
    other = [replace(r, run="b-run") for r in records if r.case["subject"] == made.subject]
    assert ranks(records, other)[mine][0] == "—"
    shared = [replace(r, flags=[*r.flags, "shared"]) for r in records]
    assert {r for r, _ in ranks(shared).values()} == {"—"}


def test_every_link_leads_to_a_file_and_nothing_is_fetched(folder: Path) -> None:
    pages = list(folder.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        text = page.read_text()
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text), page
        for href in re.findall(r'href="([^"#:]+)"', re.sub(r"<script.*?</script>", "", text, flags=re.S)):
            assert (page.parent / href).exists(), f"{page.name}: {href}"


def test_a_record_has_a_permalink_and_its_own_page(folder: Path) -> None:
    record = measured()[0]
    link = permalink(record)
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]{12}", link) and permalink(replace(record, repeat=7)) != link
    page = (folder / "records" / f"{link}.html").read_text()
    assert record.run in page and "@misc{spikebench-" + link in page
    assert Record.from_json(json.loads((folder / "records" / f"{link}.jsonl").read_text())) == record


def test_tables_are_there_as_files(folder: Path) -> None:
    name = board_page(folder).removesuffix(".html")
    table = list(csv.DictReader((folder / f"{name}-1.csv").open(newline="")))
    shown = [row["subject"].rpartition("/")[2] for row in table]
    assert sorted(shown) == ["leaky.py:Leaky@eager", "lif@eager", "lif@fused", "psu@eager"] and shown[-1] == "psu@eager"
    assert 0.9e-3 < float(table[0]["time (SI)"]) < 1.1e-3 and table[0]["records"].count(" ") == 4
    text = (folder / f"{name}-1.tex").read_text()
    assert text.count(r" \\") == 5 and r"\toprule" in text and "lif@eager" in text
    assert (folder / f"{name}-1.bib").read_text().count("@misc{spikebench-") == 21
    assert len(store.load(folder / f"{name}-1.jsonl")) == 21
    assert latex("50 % of a_b & {c} \\ µs") == r"50 \% of a\_b \& \{c\} \textbackslash{} \textmu{}s"


def test_refused_submissions_say_why_and_are_on_no_board(folder: Path) -> None:
    said = {n: (folder / "submissions" / f"{n}.html").read_text() for n in ("good", "red", "edited")}
    assert "refused: gate: " in said["red"] and "its gate is failed: other spikes" in said["red"]
    assert "refused: hashes: records.jsonl has the SHA-256" in said["edited"]
    assert "reported: no records of a second machine" in said["good"]
    named = [p for p in (folder / "boards").glob("*.html") if "leaky.py" in p.read_text()]
    assert named and all("submissions/good.html" in p.read_text() for p in named)
    assert not any(re.search("submissions/(red|edited)", p.read_text()) for p in (folder / "boards").glob("*.html"))


def test_two_submissions_may_have_the_same_records(tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    for name in ("first", "second"):
        submitted.made(tmp_path / "submissions" / name)
    site([tmp_path / "submissions"], tmp_path / "site")
    for name in ("first", "second"):
        assert "reported: " in (tmp_path / "site" / "submissions" / f"{name}.html").read_text()
    (board,) = (tmp_path / "site" / "boards").glob("*.html")
    assert "submissions/first.html" in board.read_text() and "submissions/second.html" not in board.read_text()


def test_sorting_filters_and_deep_links(tab: browser.Page, folder: Path) -> None:
    page = opened(tab, folder, "records.html")
    assert len(column(page, 0)) == len(measured()) + 5  # the baseline of the submission is there already
    page.js("document.querySelectorAll('table.rows thead button')[8].click()")
    times = page.js("[...document.querySelector('table.rows').tBodies[0].rows].map(r => r.cells[8].textContent)")
    assert times[0].startswith("100") and times[-1] == "—"
    page.js(
        "document.querySelector('input[type=search]').value = 'psu 128'; document.querySelector('input[type=search]').dispatchEvent(new Event('input'))"
    )
    assert column(page, 0) == ["psu@eager"] * 5 and page.js("location.hash") == "#q=psu+128&sort=time"
    page = opened(tab, folder, "records.html#sort=-time&status=wrong")
    assert (
        column(page, 0) == ["lif@eager"]
        and page.js("document.querySelector('[role=status]').textContent") == "1 of 46 rows"
    )
    page = opened(tab, folder, "records.html#sort=-time")
    assert column(page, 0)[0] == "psu@eager"
    assert page.said == [] and {a.split(":")[0] for a in page.asked} <= {"file", "data", "about"}


def test_two_rows_are_compared_and_a_row_is_cited(tab: browser.Page, folder: Path) -> None:
    page = opened(tab, folder, board_page(folder))
    for name in ("lif@eager", "lif@fused"):
        page.js(f"document.querySelector('[aria-label=\"compare {name}\"]').click()")
    said = page.js("document.querySelector('.scroll + [role=status] p').textContent")
    assert said.startswith("lif@fused against lif@eager: faster, 2.0") and "n=5" in said
    page.js("document.querySelector('[aria-label=\"compare psu@eager\"]').click()")
    chosen = page.js("[...document.querySelectorAll('td.act input:checked')].map(b => b.ariaLabel)")
    assert chosen == ["compare lif@fused", "compare psu@eager"]
    page.js("document.querySelector('td.act button').click()")
    shown = page.js("document.querySelector('dialog').textContent")
    assert (
        "@misc{spikebench-" in shown
        and "LaTeX" in shown
        and page.js("document.activeElement.closest('dialog') !== null")
    )
    page.js("document.querySelector('dialog button').click()")
    assert page.js("document.querySelectorAll('dialog[open]').length") == 0 and page.said == []


PAGES = (
    "index.html",
    "records.html",
    "neurons/lif.html",
    "submissions/red.html",
    "claims/psn_speed.html",
    "machines.html",
)


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_the_window_and_have_one_title(tab: browser.Page, folder: Path, name: str) -> None:
    page = opened(tab, folder, name)
    for width, dark in ((1400, True), (500, False), (360, False)):
        page.look(width, 900, dark)
        assert page.js("document.documentElement.scrollWidth") <= width
        assert (page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)") != dark
    levels = page.js("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels))
    ids: Any = page.js("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) and page.said == []
