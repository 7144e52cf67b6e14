"""The repository's frame: versions, pins and the citation say the same."""

import re
import tomllib
from pathlib import Path

import commands
import pytest

import spikebench

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINNED = ("cpu", "triton", "tasks", "nir", "test", "dev", "asv", "docs")


def normal(name: str) -> str:
    """A package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    """Versions in constraints.txt by package."""
    lines = (line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in pairs}


def test_version_is_the_same_everywhere() -> None:
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    assert cited is not None
    assert spikebench.__version__ == PROJECT["version"] == cited[1]


@pytest.mark.parametrize("requirement", [*PROJECT["dependencies"], *(r for e in PINNED for r in EXTRAS[e]), "aeon"])
def test_requirement_is_pinned(requirement: str) -> None:
    name, _, version = requirement.partition("==")
    assert normal(name) in pins()
    assert version in ("", pins()[normal(name)])


def test_plan_names_what_is_there() -> None:
    """The README's plan; that of docs/architecture.md is whole, see test_architecture.py."""
    plan = (ROOT / "README.md").read_text().split("## Plan")[1]
    named = set(re.findall(r"(?<![\w./])[a-z_]+(?:\.py|/)", plan))
    there = {n for n in named if (ROOT / n).exists() or (ROOT / "spikebench" / n).exists()}
    assert len(named) > 20 and sorted(named - there) == []


def test_docs_table_of_neurons_is_what_list_prints() -> None:
    listed = commands.run("list", "neurons", "--markdown")
    assert (ROOT / "docs" / "neurons.md").read_text() == listed.stdout, "run make figures"
