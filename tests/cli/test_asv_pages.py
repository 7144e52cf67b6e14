"""asv's published pages: they work in a browser with no server but the one that holds them."""

import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import browser
import pytest

from spikebench.cli import _asv_pages as asv_pages

HERE = Path(__file__).parents[2]
BENCHMARK = "regression.Length.track_latency"
LINKS = """<script src="https://cdn.example/x/jquery.flot.min.js" integrity="sha512-a/b==" crossorigin="anonymous" onerror="f()"></script>
<link rel="stylesheet" href="https://cdn.example/bootstrap.min.css" integrity="sha256-x=" crossorigin="anonymous">
<script src="asv.js"></script>"""


def packed(kept: Path, package: str, files: dict[str, bytes]) -> None:
    """A package as npm packs it."""
    kept.mkdir(exist_ok=True)
    with tarfile.open(kept / f"{package.replace('@', '-')}.tgz", "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def test_links_lead_to_what_stands_beside(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(LINKS)
    packed(tmp_path / "npm", "flot@0.8.3", {"jquery.flot.js": b"flot"})
    packed(tmp_path / "npm", "bootstrap@3.1.1", {"dist/css/bootstrap.min.css": b"css"})
    assert asv_pages.bring_libraries(tmp_path, tmp_path / "npm") is None
    text = (tmp_path / "index.html").read_text()
    assert "https://" not in text and "integrity" not in text and 'onerror="f()"' in text and 'src="asv.js"' in text
    assert (tmp_path / "vendor" / "jquery.flot.min.js").read_bytes() == b"flot"
    assert 'href="vendor/bootstrap.min.css"' in text


def test_without_npm_the_pages_stay_and_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text(LINKS)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert asv_pages.bring_libraries(tmp_path, tmp_path / "npm") == "npm is not installed"
    assert (tmp_path / "index.html").read_text() == LINKS


def test_an_unknown_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script src="https://cdn.example/new.js"></script>')
    assert "asv links new.js" in str(asv_pages.bring_libraries(tmp_path, tmp_path))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Pages of two commits, published by our command and served from this machine."""
    if importlib.util.find_spec("asv") is None:
        pytest.skip("asv is not installed: the extra `asv`")
    if browser.program() is None:
        pytest.skip(f"no browser: none of {', '.join(browser.NAMES)} is installed")
    folder = tmp_path_factory.mktemp("published")
    publish(folder)
    line = [sys.executable, "-m", "spikebench", "asv", "publish", "--no-pull"]
    surroundings = {"PYTHONPATH": str(HERE), "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home())}
    done = subprocess.run(line, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if "need the network" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder / "html"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()


def publish(folder: Path) -> None:
    """A checkout with results of two commits, the second one slower."""

    def git(*words: str) -> str:
        line = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
        return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    config = {"version": 1, "project": "p", "repo": ".", "branches": ["HEAD"], "results_dir": "results"}
    (folder / "asv.conf.json").write_text(json.dumps(config | {"html_dir": "html", "environment_type": "existing"}))
    machine = {"machine": "m", "os": "Linux", "arch": "x", "cpu": "c", "num_cpu": "2", "ram": "1", "version": 1}
    (folder / "results" / "m").mkdir(parents=True)
    (folder / "results" / "m" / "machine.json").write_text(json.dumps(machine))
    sizes = [["'lif@cpu'"], ["128", "512"]]
    about = {"name": BENCHMARK, "code": "", "param_names": ["subject", "T"], "params": sizes, "type": "track"}
    about |= {"unit": "s", "version": "1", "timeout": 60}
    (folder / "results" / "benchmarks.json").write_text(json.dumps({BENCHMARK: about, "version": 2}))
    git("init", "-q", "-b", "main")
    for k in range(6):
        git("commit", "-q", "--allow-empty", "-m", f"commit {k}")
        facts = {"commit_hash": git("rev-parse", "HEAD"), "env_name": "py", "date": 1_700_000_000_000 + k * 86_400_000}
        facts |= {
            "params": {n: machine[n] for n in ("machine", "os", "arch", "cpu", "num_cpu", "ram")} | {"python": "3.11"}
        }
        times = [0.001 * (1 + (k > 2)), 0.004]
        facts |= {"python": "3.11", "requirements": {}, "env_vars": {}, "durations": {}, "version": 2}
        facts |= {"result_columns": ["result", "params", "version"], "results": {BENCHMARK: [times, sizes, "1"]}}
        (folder / "results" / "m" / f"{facts['commit_hash'][:8]}-py.json").write_text(json.dumps(facts))


@pytest.fixture(scope="module")
def tab(address: str) -> Iterator[browser.Page]:
    with browser.page() as page:
        yield page


def until(page: browser.Page, condition: str) -> Any:
    """What an expression gives once it is true."""
    end = time.monotonic() + 15
    while not (found := page.js(condition)):
        assert time.monotonic() < end, f"never: {condition}; {page.said}"
        time.sleep(0.1)
    return found


@pytest.mark.long
def test_pages_work_without_another_server(tab: browser.Page, address: str) -> None:
    tab.open(address)
    until(tab, f"document.body.textContent.includes('{BENCHMARK.split('.')[-1]}')")
    assert tab.js("typeof jQuery + typeof jQuery.plot + typeof md5") == "functionfunctionfunction"
    tab.js(f"location.hash = '#{BENCHMARK}'")
    until(tab, "document.querySelectorAll('#main-graph canvas').length > 0")
    assert tab.js("[...document.querySelectorAll('#main-graph .tickLabel, #main-graph .flot-tick-label')].length") > 2
    assert tab.said == []
    assert not [a for a in tab.asked if a.startswith("http") and not a.startswith("http://127.0.0.1")]


@pytest.mark.long
def test_lists_sort_and_regressions_are_shown(tab: browser.Page, address: str) -> None:
    tab.open(address + "#/summarylist")
    until(tab, "document.querySelectorAll('#summarylist-display tbody tr').length > 1")
    column = "[...document.querySelectorAll('#summarylist-display tbody tr')].map(r => r.textContent).join()"
    seen: list[str] = []
    for _ in range(2):
        tab.js("$('#summarylist-display thead th').first().trigger('click'), 0")
        time.sleep(0.3)  # it sorts a little later
        seen.append(tab.js(column))
    assert seen[0] != seen[1] and sorted(seen[0].split(",")) == sorted(seen[1].split(",")), "a press turns the order"
    tab.js("location.hash = '#/regressions'")
    until(tab, f"document.querySelector('#regressions-body').textContent.includes('{BENCHMARK.split('.')[-1]}')")
    assert tab.said == []
