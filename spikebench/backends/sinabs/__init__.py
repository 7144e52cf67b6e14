"""Sinabs 3.1: its layers, batch first."""
