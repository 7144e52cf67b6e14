"""The command line: the only package that prints and reads argv."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def main() -> None:
    """Run the command line. Exit codes: 0 finished, 1 a verdict failed or nothing was measured, 2 bad usage, 130 interrupted, 143 terminated."""
    from spikebench.cli.app import app
    from spikebench.errors import Problem

    codes = [128 + signal.SIGINT]
    try:
        with _stoppable(codes):
            app(prog_name="spikebench")
    except Problem as problem:
        print(f"spikebench: {problem}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as ending:
        if (stopped := _interrupt(ending)) is None:
            raise
        print(f"spikebench: {str(stopped) or 'interrupted; what was finished is kept'}", file=sys.stderr)
        sys.exit(codes[-1])
    except BrokenPipeError:
        sys.exit(0)


@contextmanager
def _stoppable(codes: list[int]) -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, end a command as Ctrl-C does; `codes` gets the exit code that goes with it."""

    def stop(number: int, _: FrameType | None) -> None:
        codes.append(128 + number)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, handler)


def _interrupt(ending: BaseException | None) -> BaseException | None:
    """The Ctrl-C that ended a command. The library of the command line makes an exit of it, which has it as its context."""
    while ending is not None and not isinstance(ending, KeyboardInterrupt):
        ending = ending.__cause__ or ending.__context__
    return ending
