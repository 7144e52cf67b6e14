"""Reset-free neurons as a linear recurrence in chunks: matrix products inside a chunk, a carry between chunks."""
