"""Sessions, child processes, blocks and executors: who measures what, when and where."""
