"""docs/architecture.md is true: its plan is whole, its layers and laws are those that are checked, and its walk can be walked."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import commands
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def test_the_plan_names_every_part_of_the_package_and_no_other() -> None:
    plan = PAGE.partition("## Which may import which")[0]
    rows = [line for line in plan.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w.]+/?)`", row.split("|")[1])}
    package = ROOT / "spikebench"
    files = [p for p in package.iterdir() if p.suffix in ("", ".py") and not p.name.startswith(("_", "."))]
    there = {p.name + "/" * p.is_dir() for p in files if p.is_file() or list(p.glob("[!_.]*.py"))}
    assert named == there
    assert all(row.split("|")[2].strip().endswith(".") for row in rows), "each has a sentence"


def test_the_layers_are_those_that_are_checked() -> None:
    (layers,) = (c["layers"] for c in CONTRACTS if c["type"] == "layers")
    assert PAGE.split("```text\n")[1].split("```")[0].split("\n")[:-1] == layers, (
        "docs/architecture.md has other layers"
    )


@pytest.mark.parametrize("law", [c["name"] for c in CONTRACTS if c["type"] != "layers"])
def test_every_law_is_said(law: str) -> None:
    assert f"- {law}\n" in PAGE, "docs/architecture.md does not have this contract"


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`(spikebench/[\w/]+\.py:\w+)`", PAGE))))
def test_every_function_of_the_walk_is_there(place: str) -> None:
    file, _, name = place.partition(":")
    tree = ast.parse((ROOT / file).read_text())
    made = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert name in {n.name for n in made}, f"{file} has no {name}"


@pytest.mark.long
def test_the_walk_leads_to_a_figure(tmp_path: Path) -> None:
    walk = PAGE.partition("## The road of a case")[2]
    lines = re.findall(r"^    spikebench (.*)$", walk, re.M)
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line.replace("lif@cpu", "lif@eager --metric latency"))  # nothing to compile
        done = commands.run(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "walk.jsonl").read_text().splitlines()) == 2
    assert {p.suffix for p in (tmp_path / "figures").iterdir()} >= {".png", ".svg", ".txt"}
