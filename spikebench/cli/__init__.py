"""The command line: the only package that prints and reads argv."""

import sys


def main() -> None:
    """Run the command line. Exit codes: 0 finished, 1 a verdict failed, 2 bad usage, 130 interrupted."""
    from spikebench.cli.app import app
    from spikebench.errors import Problem

    try:
        app(prog_name="spikebench")
    except Problem as problem:
        print(f"spikebench: {problem}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as ending:
        if (stopped := _interrupt(ending)) is None:
            raise
        print(f"spikebench: {str(stopped) or 'interrupted; what was finished is kept'}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


def _interrupt(ending: BaseException | None) -> BaseException | None:
    """The Ctrl-C that ended a command. The library of the command line makes an exit of it, which has it as its context."""
    while ending is not None and not isinstance(ending, KeyboardInterrupt):
        ending = ending.__cause__ or ending.__context__
    return ending
