"""The command line: the only package that prints and reads argv."""

import sys


def main() -> None:
    """Run the command line. Exit codes: 0 finished, 1 a verdict failed, 2 bad usage, 130 interrupted."""
    from spikebench.cli.app import app
    from spikebench.errors import Problem

    try:
        app()
    except Problem as problem:
        print(f"spikebench: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("spikebench: interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
