"""What neurons and backends compute with: surrogate gradients, linear recurrences, random numbers."""
