"""Sinabs 3.1: its layers, batch first."""

REQUIRES = ("sinabs",)
SECONDS_A_STEP = 0.00038
