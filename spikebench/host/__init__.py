"""The machine: clocks, environment, what else runs on it, energy counters; no torch."""
