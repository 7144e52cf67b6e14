"""What surrounds the code: workflows, forms and hooks run what the Makefile runs, and all of them can be read."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
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


LONGEST, WIDEST = 50, 12  # lines of a function, and parameters of a command


def _kernel(decorator: ast.expr) -> bool:
    """Whether a function with this decorator is a kernel, or writes the instructions of one."""
    return "jit" in (text := ast.unparse(decorator)) or text == "primitive"


def functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    """Every function of the package that is no kernel."""
    for path in sorted((ROOT / "spikebench").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and not any(map(_kernel, node.decorator_list)):
                yield path, node


def test_no_function_is_longer_than_a_page() -> None:
    lengths = {f"{p.name}: {f.name}": (f.end_lineno or f.lineno) - f.lineno + 1 for p, f in functions()}
    assert len(lengths) > 1000
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_no_two_files_of_tests_have_one_name() -> None:
    """They have no packages, so that pytest can collect only one of a name."""
    names = Counter(p.name for p in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_commands_take_groups_of_options() -> None:
    counts = {p.stem: len(f.args.args + f.args.kwonlyargs) for p, f in functions() if p.parent.name == "cli"}
    commands = {p.stem for p in (ROOT / "spikebench" / "cli").glob("[!_]*.py")} - {"app"}
    assert commands <= counts.keys()
    wide = {
        f"{p.name}: {f.name}"
        for p, f in functions()
        if p.parent.name == "cli" and len(f.args.kwonlyargs + f.args.args) > WIDEST
    }
    assert wide == set()


def _without_encoding(tree: ast.AST) -> Iterator[int]:
    """The lines of calls that read or write text in whatever encoding the machine has."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        f, words = node.func, [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        name = f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
        binary = name == "open" and (
            any("b" in w for w in words) or ast.unparse(f).split(".")[0] in ("os", "tarfile", "wave")
        )
        named = name == "read_text" and bool(words)  # the first argument of read_text is the encoding
        if name in ("open", "read_text", "write_text") and not binary and not named:
            yield node.lineno


def test_text_is_read_and_written_in_one_encoding() -> None:
    files = [p for folder in ("spikebench", "suites", "docs", "notebooks") for p in (ROOT / folder).rglob("*.py")]
    assert len(files) > 300
    found = [(p, line) for p in files for line in _without_encoding(ast.parse(p.read_text(encoding="utf-8")))]
    assert not found, "add encoding='utf-8'"
    assert list(_without_encoding(ast.parse("Path('x').read_text()\nopen('x', 'rb')\nopen('x', 'w')"))) == [1, 3]
