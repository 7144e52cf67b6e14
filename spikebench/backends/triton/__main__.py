"""`python -m spikebench.backends.triton` compiles the kernels and rewrites their table in README.md; it needs no GPU."""

from spikebench.backends.triton import _table

if __name__ == "__main__":
    _table.write()
