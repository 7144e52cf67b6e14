"""Parts of the site that are made from the code: equations, options, pictures, tables, and what the README takes from them."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest

import spikebench
from spikebench import registry
from spikebench.analysis import stats
from spikebench.records.flags import OF_SAMPLES, Flag

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
NEURONS = registry.names("neurons")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules of docs/ that need no extra, as mkdocs finds them: beside each other."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    names = ("equations", "neuron_pages", "pictures", "parts", "libraries", "reference", "site_facts", "scheme_pages")
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


def letters(text: str) -> str:
    """What is left of an equation without spaces and without the signs of sub- and superscripts."""
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789−+")
    return re.sub(r"[\s_^{}`]", "", text.translate(raised)).replace("-", "−").replace("'", "′")


@pytest.mark.parametrize("name", NEURONS)
def test_nothing_of_an_equation_is_lost(made: dict[str, ModuleType], name: str) -> None:
    """As MathML it has the same letters in the same order, but for a superscript that comes before a subscript."""
    pages, equations = made["neuron_pages"], made["equations"]
    text = pages.docstring(name).partition(pages.BLOCK)[0]
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert lines
    for line in lines:
        shown = unescape(re.sub(r"<[^>]*>", "", equations.block([line])))
        assert sorted(letters(shown)) == sorted(letters(line))
        if "^" not in line and "'" not in line:
            assert letters(shown) == letters(line)


def test_indices_stand_below_and_exponents_above(made: dict[str, ModuleType]) -> None:
    shown = made["equations"].mathematics("v_{t-1} + decay^{t−j}·s^{k-1}_t − p² + v_min + learn_decay")
    assert '<msub><mi>v</mi><mrow><mi>t</mi><mo stretchy="false">−</mo><mn>1</mn></mrow></msub>' in shown
    assert "<msup><mi>decay</mi>" in shown and "<msubsup><mi>s</mi><mrow><mi>t</mi></mrow>" in shown
    assert "<msup><mi>p</mi><mrow><mn>2</mn></mrow></msup>" in shown and "<msub><mi>v</mi><mrow><mi>min</mi>" in shown
    assert "<mi>learn_decay</mi>" in shown, "a name with an underscore is no index"
    assert "<script" not in shown and "http" not in shown
    assert made["equations"].inline("`x_t` and v_{t-1}").startswith("`x_t` and <math>")
    assert made["equations"].inline("e^{s/τ} and t^k").count("<msup>") == 2


@pytest.mark.parametrize("name", NEURONS)
def test_every_option_says_what_it_is(made: dict[str, ModuleType], name: str) -> None:
    pages, options = made["neuron_pages"], registry.facts(name).options
    lines = list(pages.options(name, options, pages.OPTIONS | pages.described(name)))
    assert len([line for line in lines if line.startswith("| `")]) == len(options)
    own = pages.docstring(name).partition(pages.BLOCK)[2].splitlines()
    assert all(line.strip().partition(": ")[0] in options and line.strip().partition(": ")[2] for line in own)


def test_pictures_show_what_the_code_says(made: dict[str, ModuleType]) -> None:
    """Each made-up run has its own flag and no other, and each verdict has a ratio."""
    pictures = made["pictures"]
    runs = pictures.runs()
    assert all(pictures.raised(run) == ([run.flag] if run.flag else []) for run in runs)
    assert {run.flag for run in runs} == {None, *OF_SAMPLES}
    assert {stats.verdict(ratio) for ratio in pictures.ratios()} == {"faster", "slower", "same", "inconclusive"}


def test_reading_a_result_has_every_flag(made: dict[str, ModuleType]) -> None:
    page = made["parts"].fill((ROOT / "docs" / "reading-a-result.md").read_text().replace("made: output", "output"))
    assert all(f"| `{flag}` | {flag.meaning} | {flag.remedy} |" in page for flag in Flag)
    with pytest.raises(KeyError):
        made["parts"].fill("<!-- made: nothing-of-this-name -->")


def test_the_table_of_libraries_is_that_of_the_records(made: dict[str, ModuleType]) -> None:
    lines = list(made["libraries"].table())
    assert "\n".join(lines) in README, "run python docs/libraries.py"
    assert len(lines) == 2 + len(made["libraries"].ROWS) and all("[" in line for line in lines[2:])


def test_the_answer_about_libraries_is_that_of_the_records(made: dict[str, ModuleType]) -> None:
    """docs/faq.md: ours first, then a compiled loop, then Norse and SpikingJelly, whose intervals overlap."""
    found = made["libraries"]
    records = [r for r in found.store.load(found.CPU) if r.case["T"] == found.T]
    ends = {}
    for row in found.ROWS:
        mine = [r for r in records if r.case["backend"] == row.backend]
        ends[row.backend] = stats.mean_interval([found.math.log(s) for s in found.medians(mine, "latency")])
    assert ends["cpu"][1] < ends["compiled"][0] < ends["compiled"][1] < ends["norse"][0]
    assert ends["norse"][0] < ends["spikingjelly"][1] and ends["spikingjelly"][0] < ends["norse"][1]
    assert all(ends["norse"][1] < ends[other][0] for other in ("snntorch", "sinabs"))
    rows = made["parts"].compared().splitlines()
    assert rows[2].endswith("| faster |") and rows[3].endswith("| slower |"), "as the first five minutes read them"


def test_the_figure_of_the_readme_says_what_stands_below_it() -> None:
    """A thousand times without changing the neuron, and an interval that contains 1 by changing it."""
    name = "headline-train-T10000-B4-N128-cpu"
    assert f"(docs/figures/{name}.png)" in README
    drawn = (ROOT / "docs" / "figures" / f"{name}.svg").read_text()  # which has its texts as comments
    factors = [float(factor) for factor in re.findall(r"<!-- ([\d.]+)x -->", drawn)]
    (low, high), (least, most) = (
        map(float, each) for each in re.findall(r"<!-- \[([\d.]+), ([\d.]+)\], n = 5 -->", drawn)
    )
    assert 800 < low < factors[0] < high < 1250, "the README says a thousand"
    assert least < 1 < most, "the README says that it is not told from nothing"


def test_signatures_are_no_wider_than_a_page(made: dict[str, ModuleType]) -> None:
    for name in spikebench.__all__:
        found = getattr(spikebench, name)
        if callable(found):
            lines = made["reference"].signature(name, found).splitlines()
            kinds = inspect.signature(found).parameters.values() if inspect.isfunction(found) else ()
            assert len(lines) > len(kinds) or len(lines[0]) <= made["reference"].WIDE, name


@pytest.mark.parametrize(
    ("origin", "page"),
    [
        ("git@github.com:some/one.git\n", "https://github.com/some/one"),
        ("https://token@github.com/some/one.git", "https://github.com/some/one"),
        ("ssh://git@host.org/some/one", "https://host.org/some/one"),
        ("/a/folder", None),
        ("", None),
    ],
)
def test_the_repository_is_where_git_says(made: dict[str, ModuleType], origin: str, page: str | None) -> None:
    assert made["site_facts"].address(origin) == page


def test_ten_questions_are_answered_within_two_clicks() -> None:
    """The README links to them; each has a link to a heading or page, or a command."""
    assert "(docs/faq.md)" in README
    _, *parts = (ROOT / "docs" / "faq.md").read_text().split("\n## ")
    assert len(parts) == 10
    for part in parts:
        assert re.search(r"\]\([\w/-]+\.md", part) or "\n    spikebench " in part, part.partition("\n")[0]


@pytest.mark.parametrize("name", registry.names("schemes"))
def test_a_scheme_has_a_page_with_its_equations_and_options(made: dict[str, ModuleType], name: str) -> None:
    pages, equations = made["scheme_pages"], made["equations"]
    text, page = pages.docstring(name), "\n".join(pages.page(name))
    lines = [line.strip() for line in text.partition(pages.BLOCK)[0].splitlines() if line.startswith("    ")]
    assert lines and "Source:" in text and "```bibtex\n@" in page
    for line in lines:
        shown = unescape(re.sub(r"<[^>]*>", "", equations.block([line])))
        assert sorted(letters(shown)) == sorted(letters(line))
    assert set(pages.listed(text)) == set(registry.scheme_options(name))
    assert f"| [{name}](schemes/{name}.md) |" in "\n".join(pages.index([], []))
