"""Figures in a page, in a browser without a network: values to hover and to reach by keys, lines to hide, tables without a script."""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import browser
import pytest

from spikebench.plots import Drawing, figures
from spikebench.plots._chart import Axis, Chart, Panel, Point, Series, finished
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson
from spikebench.report import figures as shown

COLOURS = ":root { --ink: #111; --soft: #666; --paper: #fff; --card: #eee; --line: #ccc; } body { margin: 0; }"


def chart() -> Chart:
    """Two lines with intervals, the third grey, a hostile name, and points that no two share."""
    lines = [
        Series("lif@eager", (Point(100, 1e-3, 0.9e-3, 1.1e-3, 5), Point(1000, 1e-2, 0.9e-2, 1.1e-2, 5)), note="T^1.00"),
        Series("lif@cpu", (Point(100, 1e-4), Point(1000, 1e-3)), note="T^1.00, n = 1"),
        Series("</script><b>x@cpu", (Point(100, 3e-4), Point(1000, 4e-3)), muted=True),
    ]
    made = Chart("a title <i>", (Panel("", tuple(lines)),), Axis("time steps T"), Axis("time of one launch", "s"))
    return finished(replace(made, ticks=(100, 1000)))


def bars() -> Chart:
    sides = [
        Series(f"lif@{b}", (Point(0, v), Point(1, 10 * v)), "bars", note=b) for b, v in (("norse", 1.0), ("cpu", 0.1))
    ]
    x = Axis("time steps T", "", "names", ("100", "1,000"))
    return finished(Chart("bars", (Panel("train", tuple(sides)),), x, Axis("time", "s"), legend=True))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawings = [Drawing("lines", chart(), "A caption with n & <b>."), Drawing("bars", bars(), "Bars.")]
    body = "".join(map(shown.element, drawings))
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f"<title>t</title><style>{COLOURS}{shown.style()}</style>{body}<script>{shown.script()}</script>"
    )
    return path


@pytest.fixture(scope="module")
def browsing() -> Iterator[browser.Page]:
    if browser.program() is None:
        pytest.skip(f"no browser: none of {', '.join(browser.NAMES)} is installed")
    with browser.page() as tab:
        yield tab


@pytest.fixture
def tab(browsing: browser.Page, page: Path) -> browser.Page:
    browsing.said.clear()
    browsing.asked.clear()
    browsing.look(900, 900)
    browsing.open(page.as_uri())
    return browsing


def test_it_draws_without_a_network_or_an_error(tab: browser.Page) -> None:
    assert tab.js("document.querySelectorAll('figure.chart canvas').length") == 2
    ink = "[...document.querySelectorAll('canvas')].map(c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size)"
    assert min(tab.js(ink)) > 5, "something is drawn on every canvas"
    assert tab.said == [] and all(a.startswith("file:") for a in tab.asked) and len(tab.asked) == 1
    assert tab.js("document.querySelector('figcaption').textContent") == "A caption with n & <b>."
    assert tab.js("document.querySelectorAll('figure b, figure i').length") == 0


TIP = "(t => t.hidden ? null : t.textContent)(document.querySelector('.tip'))"


def test_hover_says_the_value_with_its_interval(tab: browser.Page) -> None:
    seen: set[str] = set()
    over = "(r => [r.left, r.top, r.width, r.height])(document.querySelector('.u-over').getBoundingClientRect())"
    left, top, width, height = tab.js(over)
    for x, y in itertools.product(range(20), range(9)):  # a value is found from 40 pixels on
        where = {"x": left + width * x / 19, "y": top + height * y / 8}
        tab.call("Input.dispatchMouseEvent", type="mouseMoved", **where)
        if text := tab.js(TIP):
            seen.add(text)
    assert "lif@eager\nT = 1,000: 10.0 ms [9.00 ms, 11.0 ms], n = 5" in seen
    assert "lif@fused\nT = 100: 100 µs (n = 1: no interval)" in seen
    assert any(text.startswith("</script><b>x@fused\n") for text in seen) and len(seen) == 6
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=890)
    assert tab.js(TIP) is None


def test_a_press_in_the_legend_hides_a_line_and_shows_it_again(tab: browser.Page) -> None:
    blue = """(c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
        for (let k = 0; k < d.length; k += 4) n += d[k] === 0 && d[k + 1] === 0x72 && d[k + 2] === 0xB2; return n; })(document.querySelector('canvas'))"""
    before = tab.js(blue)
    button = "document.querySelector('.keys button[data-group=\"lif@eager\"]')"
    tab.js(f"{button}.click()")
    assert tab.js(f"{button}.getAttribute('aria-pressed')") == "false"
    frame = "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))"
    assert tab.js(frame) and before > 100 and tab.js(blue) == 0, "neither line, marks nor label are left"
    tab.js(f"{button}.click()")
    assert tab.js(frame) and tab.js(blue) == before
    assert tab.js(f"{button}.getAttribute('aria-pressed')") == "true"


def test_names_stand_at_the_ends_of_lines(tab: browser.Page) -> None:
    beside = """(c => { const over = document.querySelector('.u-over').getBoundingClientRect(), left = Math.ceil(over.right - c.getBoundingClientRect().left) + 8;
        const d = c.getContext('2d').getImageData(left, 0, c.width - left, c.height).data, seen = new Set();
        for (let k = 0; k < d.length; k += 4) if (d[k + 3] === 255) seen.add(`${d[k]} ${d[k + 1]} ${d[k + 2]}`);
        return ['0 114 178', '213 94 0', '102 102 102'].map(c => seen.has(c)); })(document.querySelector('canvas'))"""
    assert tab.js(beside) == [True, True, False], "those of both lines in their colours, and none of the grey one"


def key(tab: browser.Page, name: str) -> str | None:
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key=name, code=name)
    return tab.js(TIP)


def test_keys_go_from_point_to_point(tab: browser.Page) -> None:
    tab.js("document.querySelector('.plot').focus()")
    assert str(key(tab, "ArrowRight")).startswith("lif@eager\nT = 100:")
    assert str(key(tab, "ArrowRight")).startswith("lif@eager\nT = 1,000:")
    assert str(key(tab, "ArrowDown")).startswith("lif@fused\nT = 1,000:")
    assert key(tab, "Escape") is None
    assert tab.js("document.querySelector('.plot').getAttribute('aria-label')").endswith("from point to point")
    assert tab.js("document.querySelector('.keys button').tabIndex") == 0


@pytest.mark.parametrize("width", [500, 360])
def test_it_fits_a_narrow_window(tab: browser.Page, width: int) -> None:
    tab.look(width, 800, dark=True)
    assert tab.js("new Promise(r => setTimeout(() => r(document.documentElement.scrollWidth), 200))") <= width
    assert tab.said == []


def test_the_table_holds_every_value_without_a_script() -> None:
    text = shown.element(Drawing("lines", chart(), ""))
    cells = re.findall(r"<td>(.*?)</td>", text)
    assert text.count("<tr><th scope=row>") == 6
    assert cells[:2] == ["T = 100", "1.00 ms [900 µs, 1.10 ms], n = 5"]
    data = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', text)[0])
    assert [len(s["points"]) for s in data["panels"][0]["series"]] == [2, 2, 2]
    assert "<b>x" not in text.partition('application/json">')[2].partition("</script>")[0]


def test_the_licence_of_uplot_is_in_the_page() -> None:
    assert "Copyright (c) 2022 Leon Sorokin" in shown.script() and "</script" not in shown.script()


def test_a_picture_of_matplotlib_stays_a_picture() -> None:
    case: dict[str, Any] = {
        "subject": "lif@cpu",
        "neuron": "lif",
        "backend": "cpu",
        "T": 2,
        "B": 1,
        "N": 1,
        "mode": "train",
    }
    case |= {
        "workload": "layer",
        "dtype": "float32",
        "device": "cpu",
        "seed": 0,
        "rate": 0.3,
        "network": None,
        "task": None,
    }
    detail = {"steps": 2, "neurons": 1, "counts": [0, 1], "bits": "QA==", "most": 1}
    made = Record(
        "r",
        "c",
        cast(CaseJson, case),
        measurements=[Measurement("raster", "1", samples=[0.5], detail=detail)],
        environment={"machine": "m"},
    )
    from spikebench.plots._draw import applied

    with applied():
        [text] = [shown.element(d, "raster") for d in figures("raster", store.frame([made], details=True))]
    assert text.startswith('<figure><img alt="raster: Spikes of all 1 neurons') and "image/svg+xml;base64," in text
