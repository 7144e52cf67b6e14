"""Norse 1.1: its cells, lifted over time."""
