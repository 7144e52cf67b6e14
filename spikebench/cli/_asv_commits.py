"""Commits under asv: one environment for all, and in it the spikebench of one commit after the other."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from spikebench.errors import Problem

GUARDED = ("spikebench", "suites", "asv.conf.json")  # what a recorded result of the checkout depends on


def git(root: Path, *arguments: str) -> str:
    """What git prints; Problem with its last line if it fails."""
    return _output(["git", "-C", str(root), *arguments])


def _output(command: list[str], **how: object) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **how)  # pyright: ignore[reportCallIssue, reportArgumentType]  # cwd and env, as they come
    except OSError as error:
        raise Problem(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise Problem(f"{shlex.join(command[:4])} …: {said[-1]}")
    return done.stdout.strip()


def resolve(root: Path, spec: str) -> list[str]:
    """Commits of a range along the first parents, oldest first."""
    found = git(root, "rev-list", "--first-parent", "--reverse", *shlex.split(spec), "--").split()
    if not found:
        raise Problem(f"{spec} holds no commit; write first^..last to have the first one too")
    return found


def recordable(root: Path, package: Path) -> tuple[str | None, str]:
    """The commit that `package` is, if it lies in the clean checkout at `root`; else None and why not."""
    if package.resolve() != (root / "spikebench").resolve():
        return None, f"spikebench is imported from {package}, not from this checkout"
    try:
        head = git(root, "rev-parse", "--verify", "HEAD")
        changes = git(root, "status", "--porcelain", "--", *GUARDED).splitlines()
    except Problem as problem:
        return None, str(problem)
    if Path(git(root, "rev-parse", "--show-toplevel")).resolve() != root.resolve():
        return None, "this folder is not the top of a git checkout"
    if changes:
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        return None, f"there are changes that are not committed: {changes[0].strip()}{more}"
    return head, ""


def environment_of(root: Path) -> Path:
    """The Python of .asv/shared, made when it is missing or another interpreter made it.

    A virtual environment that sees the packages of the running interpreter and takes only spikebench from itself.
    """
    folder = root / ".asv" / "shared"
    python = folder / "bin" / "python"
    sites = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    link = "".join(f"import site; site.addsitedir({p!r})\n" for p in sites)
    made, stamp = folder / "made-by", f"{sys.version}\n{sys.base_prefix}\n{link}"
    if not (made.exists() and made.read_text(encoding="utf-8") == stamp):
        shutil.rmtree(folder, ignore_errors=True)
        _output([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        own = next((folder / "lib").glob("python*/site-packages"))
        (own / "running.pth").write_text(link, encoding="utf-8")
        made.write_text(stamp, encoding="utf-8")
    return python


def surroundings(package_parent: Path | None = None) -> dict[str, str]:
    """Environment variables for asv: spikebench comes from `package_parent`, or else from what is installed."""
    plain = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "ASV_PYTHONPATH")}
    # asv drops the first from its benchmark processes, and our workers know nothing of the second
    return plain | (
        {} if package_parent is None else dict.fromkeys(("PYTHONPATH", "ASV_PYTHONPATH"), str(package_parent))
    )


def imported(python: Path, variables: dict[str, str]) -> Path:
    """The folder that an interpreter imports spikebench from."""
    show = "import spikebench; print(spikebench.__path__[0])"
    return Path(_output([str(python), "-c", show], cwd=python.parent, env=variables))


def code_hash(package: Path) -> str:
    """Hash of the Python files of a package."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


@contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a git worktree of their own."""
    folder = root / ".asv" / "worktrees" / commit
    _forget(root, folder)
    git(root, "worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        _forget(root, folder)


def _forget(root: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    git(root, "worktree", "prune")


def install(root: Path, commit: str, python: Path) -> tuple[Path, str]:
    """Put a commit into the environment; the folder it is imported from and the hash of its code.

    Raises Problem if it cannot be installed, or if what is imported then is not the commit's.
    """
    variables = surroundings()
    with worktree(root, commit) as folder:
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall"]
        options += ["--no-build-isolation"] if find_spec("hatchling") else []
        _output([str(python), "-m", "pip", "install", *options, str(folder)], cwd=folder, env=variables)
        wanted = code_hash(folder / "spikebench")
    found = imported(python, variables)
    if not found.is_relative_to(python.parent.parent) or code_hash(found) != wanted:
        raise Problem(f"{found} is imported, and it is not the code of {commit[:10]}")
    return found, wanted
