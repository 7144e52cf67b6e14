"""asv with one more kind of environment, `shared:PYTHON`: the one that all commits are measured in.

asv names an existing environment after the path of its interpreter, so that two checkouts would never share a series.
This one is named after Python and torch. Run as a file, in place of asv; it imports nothing of spikebench.
"""

import sys
from importlib import metadata

from asv.environment import ExistingEnvironment, get_env_name
from asv.main import main


class Shared(ExistingEnvironment):
    """An existing environment with the Python and torch of the interpreter that runs this file."""

    tool_name = "shared"

    @property
    def python(self) -> str:
        return f"{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def requirements(self) -> dict[str, str]:
        return {"torch": metadata.version("torch")}

    @property
    def name(self) -> str:
        return get_env_name(self.tool_name, self.python, self.requirements, {})

    def can_install_project(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]  # typed as always False
        """Whoever names the commit has installed it, so asv may name it too instead of the branch."""
        return True


if __name__ == "__main__":
    main()
