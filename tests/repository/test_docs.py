"""The documentation: commands that exist, links that lead somewhere, pages that need no other server."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from spikebench import registry
from spikebench.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
MADE = {f"{name}.md" for name in ("claims", "schemes", "trainings", "bound", "measured", "history", "cli", "api")} | {
    f"notebooks/{p.stem}.md" for p in (ROOT / "notebooks").glob("*.py")
}
MADE |= {f"{kind}/{name}.md" for kind in ("neurons", "schemes", "claims") for name in registry.names(kind)}


def commands() -> dict[str, Any]:
    """The commands there are, with the options of each."""
    group: Any = typer.main.get_command(app)
    return {name: {o for p in c.params for o in (*p.opts, *p.secondary_opts)} for name, c in group.commands.items()}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_commands_exist(page: Path) -> None:
    there = commands()
    text = page.read_text().replace("\\\n", " ")
    for line in re.findall(r"^.*\bspikebench (?=[a-z]+[ \n`])(.*)$", "\n".join(_code(text)), re.M):
        words = shlex.split(line.split(" && ")[0].split(")")[0], comments=True)
        if words[0] == "count" and page.name == "CONTRIBUTING.md":
            continue  # the command that it shows how to add; test_contributing.py adds it
        assert words[0] in there, f"no command {line}"
        if words[0] != "asv":
            unknown = [w for w in words if re.match(r"--?[A-Za-z]", w) and w.partition("=")[0] not in there[words[0]]]
            assert not unknown, f"{line}: {unknown}"


def _code(text: str) -> list[str]:
    """Lines of code: indented, or between fences."""
    fenced = [line for part in text.split("```")[1::2] for line in part.splitlines()]
    indented = [line for part in text.split("```")[::2] for line in part.splitlines() if line.startswith("    ")]
    return [line for line in (*fenced, *indented) if "import " not in line]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not link.startswith("http"):
            target = (page.parent / link).resolve()
            assert target.exists() or str(target.relative_to(ROOT / "docs")) in MADE, link


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"([\w/.-]+\.md)", (ROOT / "mkdocs.yml").read_text()))
    written = {str(p.relative_to(ROOT / "docs")) for p in PAGES}
    assert written <= listed
    assert listed <= written | MADE


def test_the_workflows_are_some() -> None:
    """Those of docs/recipes/github-actions.md parse, each of their steps does something, and the action has what it is given."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML, which asv brings")
    found = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/recipes/github-actions.md").read_text(), re.DOTALL)
    steps = [step for block in found for job in yaml.safe_load(block)["jobs"].values() for step in job["steps"]]
    assert len(found) == 2 and all(("uses" in step) != ("run" in step) for step in steps)
    ours = [step for step in steps if "/spikebench@" in step.get("uses", "")]
    assert ours and all(
        step["with"].keys() <= yaml.safe_load((ROOT / "action.yml").read_text())["inputs"].keys() for step in ours
    )
