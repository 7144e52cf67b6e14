"""Fused Numba kernels for the CPU, one file per neuron."""

ALIAS = "fused"
DEVICES = ("cpu",)
REQUIRES = ("numba",)
INSTALL = "spikebench[cpu]"
MARKER = "^"


def prepare() -> None:
    """Load numba's tables of types and functions, which it would else load in each process at its first kernel: 0.5 s."""
    from numba.core.registry import cpu_target

    for context in (cpu_target.typing_context, cpu_target.target_context):
        context.refresh()  # type: ignore[reportAttributeAccessIssue]  # numba's properties have no types
