"""Options of the tests, where they find data that is not in the repository, and what many of them need."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    # with "=": pytest looks for tests in a path that stands alone before it knows this option
    text = "--data-root=PATH: folder with one folder per data set; without it those tests skip"
    parser.addoption("--data-root", metavar="PATH", help=text)
    parser.addoption("--live", action="store_true", help="also compare live what has a known answer (half an hour)")
    text = "--triton=PATH: folder with another version of triton, which must compile the kernels too"
    parser.addoption("--triton", metavar="PATH", help=text)
    parser.addoption("--slow", action="store_true", help="also the tests marked slow, some of which take real timings")
    text = "--quick: of every test one case, and none that is marked long; for while you work"
    parser.addoption("--quick", action="store_true", help=text)
    parser.addoption("--mutants", action="store_true", help="spoil every neuron in one place after the other")


@pytest.hookimpl(trylast=True)  # after -k and -m, so that what they name is not left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        whole = {item.nodeid.partition("[")[0]: item for item in reversed(items) if not item.get_closest_marker("long")}
        config.hook.pytest_deselected(items=[i for i in items if i not in whole.values()])
        items[:] = [i for i in items if i in whole.values()]
    if not config.getoption("--slow"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes a quarter of a minute or more: give --slow"))


def pytest_collection_finish() -> None:
    # what collecting made stays to the end: going through it again and again would take minutes
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    # a shell's background job ignores Ctrl-C, and so would every command that the tests interrupt
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for option in ("--data-root", "--triton"):
        root = config.getoption(option)
        if root is not None and not Path(root).is_dir():
            raise pytest.UsageError(f"{option} {root}: no such folder")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: small tensors gain nothing by more, and threads that wait for each other make a busy machine crawl."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def data_root(request: pytest.FixtureRequest) -> Path:
    """The folder given with --data-root; a test that asks for it skips without it."""
    root = request.config.getoption("--data-root")
    if root is None:
        pytest.skip("needs --data-root")
    return Path(root).resolve()
