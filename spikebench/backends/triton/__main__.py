"""`python -m spikebench.backends.triton` compiles the kernels and rewrites their table in README.md; it needs no GPU.

With `predict` it rewrites the predicted times there, with `host` it prints how long the host takes for a training step.
"""

import sys

from spikebench.backends.triton import _host, _predict, _table

if __name__ == "__main__":
    if sys.argv[1:] == ["host"]:
        sys.stdout.write(_host.text())
    elif sys.argv[1:] == ["predict"]:
        _predict.write()
    else:
        _table.write()
