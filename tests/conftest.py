"""Where the tests find data that is not in the repository."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    # with "=": pytest looks for tests in a path that stands alone before it knows this option
    text = "--data-root=PATH: folder with one folder per data set; without it those tests skip"
    parser.addoption("--data-root", metavar="PATH", help=text)


def pytest_configure(config: pytest.Config) -> None:
    root = config.getoption("--data-root")
    if root is not None and not Path(root).is_dir():
        raise pytest.UsageError(f"--data-root {root}: no such folder")


@pytest.fixture(scope="session")
def data_root(request: pytest.FixtureRequest) -> Path:
    """The folder given with --data-root; a test that asks for it skips without it."""
    root = request.config.getoption("--data-root")
    if root is None:
        pytest.skip("needs --data-root")
    return Path(root).resolve()
