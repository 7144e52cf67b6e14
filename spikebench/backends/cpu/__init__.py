"""Fused Numba kernels for the CPU, one file per neuron."""

ALIAS = "fused"
DEVICES = ("cpu",)
REQUIRES = ("numba",)
INSTALL = "spikebench[cpu]"
MARKER = "^"
