"""What the site knows of where it comes from: the address of the repository."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def repository() -> str | None:
    """Where the repository is to be seen: as pyproject.toml says, else where GitHub builds, else git's origin; None without one."""
    declared = (
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        .get("urls", {})
        .get("Repository")
    )
    if declared:
        return declared.rstrip("/")
    if os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{os.environ['GITHUB_REPOSITORY']}"
    return address(_origin())


def address(origin: str) -> str | None:
    """The page of a git remote: of git@host:owner/name.git too; None of a folder."""
    found = re.fullmatch(r"(?:https?://(?:[^@/]+@)?|(?:ssh://)?git@)([\w.-]+)[/:](.+?)(?:\.git)?/?", origin.strip())
    return f"https://{found[1]}/{found[2]}" if found else None


def _origin() -> str:
    try:
        line = ["git", "remote", "get-url", "origin"]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
