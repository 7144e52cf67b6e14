"""What `doctor` tells to install is a command that pip can read, and names what the project has."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from spikebench import registry
from spikebench.experiments.doctor import pip_install
from spikebench.host import environment

ROOT = Path(__file__).parents[2]
WANTED = {b: i for b in registry.names("backends") if (i := registry.declared(b, None, "INSTALL"))}


@pytest.mark.parametrize("backend", WANTED)
def test_a_remedy_holds_the_versions_and_names_what_there_is(backend: str, tmp_path: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = Requirement(WANTED[backend])
    assert wanted.extras <= extras.keys()
    here = shlex.split(pip_install(WANTED[backend]))
    assert here[:4] == ["pip", "install", "-c", str(ROOT / "constraints.txt")]
    assert here[4:] == (["-e", f"{ROOT}[{backend}]"] if wanted.extras else [WANTED[backend]])
    _, _, *named = shlex.split(pip_install(WANTED[backend], tmp_path))  # as from a wheel, which has no constraints
    assert Requirement(named[0]) == wanted
    versions = environment.versions()
    assert named[1:] == [f"torch=={versions['torch']}", f"numpy=={versions['numpy']}"]


@pytest.mark.parametrize("backend", [b for b in WANTED if "==" in WANTED[b]])
def test_the_version_to_install_is_the_one_that_the_adapter_takes(backend: str) -> None:
    """`beyond` refuses another one."""
    files = [p for d in registry.folders("backends") for p in (d / backend).glob("[a-z]*.py")]
    written = {v for p in files for v in re.findall(r'beyond\(case, "[\w-]+", "([\d.]+)"\)', p.read_text())}
    assert {f"=={version}.*" for version in written} == {str(Requirement(WANTED[backend]).specifier)}
