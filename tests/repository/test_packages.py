"""What is built of the repository: the recipe for conda asks for what the wheel does, and the wheel has the schemas."""

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

import spikebench as sb
from spikebench.experiments.schema import KINDS

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
RECIPE: dict[str, Any] = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text())
NAMED = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # by conda-forge


def test_the_recipe_for_conda_asks_for_what_the_wheel_does() -> None:
    wanted = {NAMED.get(d, d) for d in PROJECT["dependencies"]} | {f"python {PROJECT['requires-python']}"}
    assert set(RECIPE["requirements"]["run"]) == wanted
    builds = {d.replace(">", " >") for d in PYPROJECT["build-system"]["requires"]} | {
        f"python {PROJECT['requires-python']}",
        "pip",
    }
    assert set(RECIPE["requirements"]["host"]) == builds
    assert RECIPE["context"]["version"] == PROJECT["version"] == sb.__version__
    (entry,) = RECIPE["build"]["python"]["entry_points"]
    assert PROJECT["scripts"] == dict([re.split(r" = ", entry)])
    assert all((ROOT / path).is_file() for path in RECIPE["about"]["license_file"])
    assert RECIPE["about"]["license_file"] == PROJECT["license-files"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_in_the_package_are_those_that_the_types_give(kind: str) -> None:
    """`spikebench schema KIND > spikebench/records/schemas/KIND.json` writes one again."""
    assert json.loads((files("spikebench.records") / "schemas" / f"{kind}.json").read_text()) == sb.schema(kind)
