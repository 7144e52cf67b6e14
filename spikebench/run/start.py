"""Runs a program that loads much, without looking for garbage meanwhile: `python -m spikebench.run.start MODULE ARGUMENTS`.

There is hardly any in what is imported, and looking for it takes 0.3 s of what torch and numba take. The program enables
Python's collector when it has loaded.
"""

import gc
import runpy
import sys


def main() -> None:
    """Go on as the module that is named."""
    gc.disable()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
