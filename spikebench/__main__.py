"""`python -m spikebench`."""

import os
import sys


def start() -> None:
    """Run the command line, without the modules of the working folder, which Python finds first when it is started so."""
    here = os.getcwd()
    sys.path[:] = [path for path in sys.path if path and os.path.realpath(path) != here]
    from spikebench.cli import main

    main()


if __name__ == "__main__":
    start()
