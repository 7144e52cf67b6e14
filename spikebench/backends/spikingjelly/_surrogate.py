"""SpikingJelly's surrogates that equal ours."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING, Any

from spikingjelly.activation_based import surrogate

from spikebench.backend import beyond

if TYPE_CHECKING:
    from spikebench.case import Case

SURROGATES: dict[str, Any] = {
    "atan": surrogate.ATan,
    "sigmoid": surrogate.Sigmoid,
    "triangle": surrogate.PiecewiseQuadratic,
    "fast_sigmoid": surrogate.SuperSpike,  # alpha/(1 + |z|)²: ours at slope 1 only
}


def lacking(case: "Case", **can: tuple[Any, ...]) -> str | None:
    """Why SpikingJelly has not this case: its options beyond `can`, or its surrogate."""
    reason = beyond(case, "spikingjelly", "2.0", surrogate=tuple(SURROGATES), **can)
    if reason is None and case.options["surrogate"] == "fast_sigmoid" and case.options["slope"] != 1.0:
        return f"spikingjelly's SuperSpike is the fast sigmoid of slope 1, not {case.options['slope']}"
    return reason
