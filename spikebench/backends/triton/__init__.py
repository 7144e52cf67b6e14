"""Fused Triton kernels for CUDA, one file per neuron; README.md beside this derives their backward passes."""

ALIAS = "fused"
DEVICES = ("cuda",)
REQUIRES = ("triton",)
INSTALL = "spikebench[triton]"
MARKER = "v"
