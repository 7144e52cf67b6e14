"""Runs commands as processes of their own that are forked from one which has loaded the command line: each starts at once.

What is loaded is `spikebench.cli` alone, without torch; how long a command takes to start is measured elsewhere.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

# a forked process leaves the loop and ends as any interpreter does
SERVER = """
import contextlib, gc, io, json, os, sys
import spikebench.cli, spikebench.cli.app
dict(spikebench.cli.app.Commands())  # each is imported when it is asked for
with contextlib.redirect_stdout(io.StringIO()):  # what every command loads when it reads its options
    spikebench.cli.app.app(["cite", "lif"], standalone_mode=False)
gc.freeze()
for line in sys.stdin:
    asked = json.loads(line)
    if (pid := os.fork()) == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
else:
    sys.exit()
os.chdir(asked["cwd"])
os.environ.clear()
os.environ.update(asked["env"])
for number, name, way in ((0, os.devnull, os.O_RDONLY), (1, asked["out"], os.O_WRONLY), (2, asked["err"], os.O_WRONLY)):
    os.dup2(os.open(name, way), number)
sys.argv = ["spikebench", *asked["args"]]
spikebench.cli.main()
"""


@lru_cache(maxsize=1)
def _server() -> "subprocess.Popen[str]":
    """The process that the others are forked from; it ends with the tests, when its input does."""
    line = [sys.executable, "-c", SERVER]
    return subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(*args: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """What `spikebench ARGS` of this tree prints in a folder, and its exit code; `env` is its whole environment."""
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        for path in (out, err):
            path.touch()
        asked = {"args": args, "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
        server.stdin.write(json.dumps(asked | {"out": str(out), "err": str(err)}) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(args, code, out.read_text(), err.read_text())
