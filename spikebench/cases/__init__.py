"""What is measured: subjects, cases and named sweeps of them; no torch."""
