"""Runs a program in a child, and ends what it leaves running: `python -m spikebench.run.guard MODULE ARGUMENTS`.

A process that does a job alone has no server above it, to which what it leaves would come. This one loads nothing.
"""

import os
import resource
import signal

from spikebench.host.traces import adopt, die_with_parent, end_children
from spikebench.run import start


def main() -> None:
    """Go on in a child as the module that is named. This process waits for it, and ends as it did."""
    die_with_parent()
    adopt()
    pid = os.fork()
    if pid == 0:
        start.main()
        return
    for pipe in (0, 1):
        os.close(pipe)  # who reads from the child hears its end
    _, status = os.waitpid(pid, 0)
    end_children()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
