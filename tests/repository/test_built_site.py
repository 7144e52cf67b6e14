"""The site as it is opened from a disk: all pages are there, nothing is fetched, and its search needs no server."""

import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import browser
import pytest
import typer

from spikebench import registry
from spikebench.cli.app import app

ROOT = Path(__file__).parents[2]
LIBRARIES = ("mkdocs", "material", "jupytext", "nbclient")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
TYPED = """(() => {
    document.querySelector("#__search").click();
    const field = document.querySelector(".md-search__input");
    field.focus();
    field.value = "inconclusive";
    field.dispatchEvent(new Event("input", {bubbles: true}));
    field.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true}));
})()"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    if any(find_spec(name) is None for name in LIBRARIES):
        pytest.skip("the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there_and_fetches_nothing(site: Path) -> None:
    pages = {str(path.relative_to(site)): path.read_text() for path in site.rglob("*.html")}
    for name, text in pages.items():
        assert not re.search(r"""<(?:script|img|link|iframe)[^>]+(?:src|href)=["']?(?:https?:)?//""", text), name
    for path in site.rglob("*.css"):
        assert not re.search(r"""(?:url\(|@import )["']?(?:https?:)?//""", path.read_text()), path.name
    commands: Any = getattr(typer.main.get_command(app), "commands", {})
    assert all(f'id="{name}"' in pages["cli.html"] for name in commands)
    assert {f"{kind}/{name}.html" for kind in ("neurons", "claims") for name in registry.names(kind)} <= set(pages)
    assert all("<math>" in pages[f"neurons/{name}.html"] for name in registry.names("neurons"))
    assert all((site / f"neurons/{name}-dark.svg").exists() for name in registry.names("neurons"))
    assert "results/index.html" in pages and "<table" in pages["results/index.html"]
    assert '"Record"' in (site / "schema" / "record.json").read_text()
    for path in (ROOT / "notebooks").glob("*.py"):
        assert f'href="{path.stem}.ipynb"' in pages[f"notebooks/{path.stem}.html"]
        measures = path.stem == "hosted_gpu"  # which is shown without outputs
        assert ('"output_type"' in (site / f"notebooks/{path.stem}.ipynb").read_text()) is not measures


@pytest.mark.skipif(browser.program() is None, reason="needs Chromium or Chrome")
def test_the_search_works_from_a_disk(site: Path) -> None:
    with browser.page() as page:
        page.open((site / "index.html").as_uri())
        page.js(TYPED)
        end = time.monotonic() + 20
        while not page.js("document.querySelectorAll('.md-search-result__item').length"):
            assert time.monotonic() < end, "nothing is found"
            time.sleep(0.1)
        assert "inconclusive" in page.js("document.querySelector('.md-search-result__item').innerText")
        assert not [address for address in page.asked if not address.startswith(("file:", "data:"))]
        assert page.said == []
