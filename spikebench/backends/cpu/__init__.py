"""Fused Numba kernels for the CPU, one file per neuron."""

DEVICES = ("cpu",)
REQUIRES = ("numba",)
INSTALL = "spikebench[cpu]"
MARKER = "^"
