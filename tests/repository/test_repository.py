"""What surrounds the code: workflows, forms and hooks run what the Makefile runs, and all of them can be read."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))


def jobs(name: str) -> dict[str, Any]:
    """The jobs of a workflow."""
    return yaml.safe_load((GITHUB / "workflows" / f"{name}.yml").read_text())["jobs"]


@pytest.mark.parametrize("name", sorted(p.stem for p in (GITHUB / "workflows").glob("*.yml")))
def test_workflows_run_what_the_makefile_has(name: str) -> None:
    commands = [step["run"] for job in jobs(name).values() for step in job["steps"] if "run" in step]
    assert commands or name == "release"
    for command in commands:
        assert command.split()[0] == "make" and command.split()[1] in TARGETS, command


def test_every_job_has_a_limit_or_ends_by_itself() -> None:
    for path in (GITHUB / "workflows").glob("*.yml"):
        assert all("timeout-minutes" in j for j in jobs(path.stem).values() if any("run" in s for s in j["steps"]))


def test_a_release_is_published_without_a_password() -> None:
    publish = jobs("release")["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text()


@pytest.mark.parametrize("name", ["wrong-number", "new-neuron"])
def test_issue_forms_have_what_the_form_needs(name: str) -> None:
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert {"name", "description", "body"} <= form.keys()
    ids = [part["id"] for part in form["body"]]
    assert len(ids) == len(set(ids)) and all(part["attributes"]["label"] for part in form["body"])
    assert any(part.get("validations", {}).get("required") for part in form["body"])


def test_hooks_do_what_make_check_does() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    dry = subprocess.run(["make", "-n", "-o", ".venv/state/check", "check"], cwd=ROOT, capture_output=True, text=True)
    done = [line for line in dry.stdout.splitlines() if line.startswith(".venv/bin/python -")]
    assert len(done) == len(hooks) == 4
    for hook, command in zip(hooks, done, strict=True):
        tool = re.search(r"ruff \w+|basedpyright|importlinter", command)
        assert tool and tool[0] in hook["entry"], f"{hook['id']} and {command}"


def test_the_image_installs_extras_that_there_are() -> None:
    extras = re.search(
        r"^\[project.optional-dependencies\]\n(.*?)^\[", (ROOT / "pyproject.toml").read_text(), re.M | re.S
    )
    there = set(re.findall(r"^(\w+) = \[", extras[1], re.M)) if extras else set()
    asked = re.findall(r"EXTRAS=([\w,]+)", (ROOT / "Containerfile").read_text())
    assert asked and all(set(a.split(",")) <= there for a in asked)
