"""The site as it is opened from a disk: its search finds pages without a server, and nothing is fetched."""

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import browser
import pytest

ROOT = Path(__file__).parents[2]
TYPED = """(() => {
    document.querySelector("#__search").click();
    const field = document.querySelector(".md-search__input");
    field.focus();
    field.value = "inconclusive";
    field.dispatchEvent(new Event("input", {bubbles: true}));
    field.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true}));
})()"""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(browser.program() is None, reason="needs Chromium or Chrome")
def test_the_search_works_from_a_disk(tmp_path: Path) -> None:
    if any(find_spec(name) is None for name in ("mkdocs", "material", "jupytext", "nbclient")):
        pytest.skip("the extra `docs` is not installed")
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(site)], cwd=ROOT, check=True)
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
