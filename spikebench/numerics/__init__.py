"""Surrogate gradients, linear recurrences and random numbers, with which neurons and backends compute."""
