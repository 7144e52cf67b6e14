"""`python -m spikebench.backends.cpu` prints what SPSN and PSU compute for each byte that they move, and what bound that sets."""

import sys

from spikebench.backends.cpu._runtime import counts
from spikebench.host.memory import keep_memory

if __name__ == "__main__":
    keep_memory()
    sys.stdout.write(counts.text())
