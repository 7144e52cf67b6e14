"""Tasks on real data, one per file; the file name is the task's id. What a task is: `spikebench/task.py`."""
