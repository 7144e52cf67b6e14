"""The machine: its clocks, versions and energy counters, and what else runs on it. Nothing here imports torch."""
