"""Reset-free neurons as a linear recurrence in parallel: products inside chunks with a carry by doubling, or doubling alone."""

PARALLEL_IN_TIME = True
MARKER = "X"
