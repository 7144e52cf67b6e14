"""`python -m spikebench.backends.triton` compiles the kernels and rewrites their table in README.md; it needs no GPU.

With `host` it prints how long the host takes for a training step of the fused neurons instead.
"""

import sys

from spikebench.backends.triton import _host, _table

if __name__ == "__main__":
    if sys.argv[1:] == ["host"]:
        sys.stdout.write(_host.text())
    else:
        _table.write()
