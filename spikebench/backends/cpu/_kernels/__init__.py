"""Compiled loops, one file per neuron, and what they share."""
