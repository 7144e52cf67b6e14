"""The result of the gate, as a child process hands it over and a record keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from spikebench.records.schema import JsonValue


@dataclass(frozen=True)
class ProbeResult:
    """What the comparison on one input gave.

    A spike may differ where the definition's own membrane is so close to the threshold that rounding explains it.
    `worst_margin` is the largest distance to the threshold at the first difference of a series, in units of what
    rounding explains; at most 1 passes, and a record has null for one that is not finite. `differing` counts such series
    among the `series` that were compared. `spikes` counts the spikes of the backend's whole output. `gradient_error` and
    `parameter_error` are relative to the largest |gradient| of the series and of the parameter, `entry_error` to that of
    the steps around the same entry.
    """

    name: str
    passed: bool
    reason: str | None
    series: int
    differing: int
    worst_margin: float | None
    spikes: float | None
    gradient_error: float | None = None
    parameter_error: float | None = None
    entry_error: float | None = None
    extra: dict[str, JsonValue] = field(default_factory=dict)


INSIDE = ("layers", "series", "differing", "layer_error", "chain_error")  # of NetworkGate, which older records lack


@dataclass(frozen=True)
class NetworkGate:
    """What the gate of a network found: the largest errors relative to the largest number of the output, and of any gradient.

    There is no error in inference, nor where the network runs the definition itself. At the case's own size and in its own
    precision `layers` of the network were compared with the definition: of their `series` some were `differing` where
    rounding explains it, `layer_error` is the largest of their inputs' gradients, and `chain_error` that of all that lies
    between the layers.
    """

    status: str
    reason: str | None
    dtype: str
    B: int
    output_error: float | None = None
    gradient_error: float | None = None
    layers: int | None = None
    series: int | None = None
    differing: int | None = None
    layer_error: float | None = None
    chain_error: float | None = None
    extra: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class GateResult:
    """The gate's result: `status` is passed, failed, or none where there is no definition to compare with.

    `bias` is the mean of the input that will be timed, and `spikes` the number of spikes that the backend gave on it.
    The timing process checks its own output against that number. For a network or a training, `layer` is the id of the
    case that was gated in its place, and `network` what the network's own gate found. The `seed` chose the series that were
    compared; nobody knew it before.
    """

    status: str
    reason: str | None = None
    bias: float | None = None
    spikes: float | None = None
    probes: list[ProbeResult] = field(default_factory=list)
    layer: str | None = None
    network: NetworkGate | None = None
    seed: int | None = None
    extra: dict[str, JsonValue] = field(default_factory=dict)

    def to_json(self) -> dict[str, JsonValue]:
        """JSON for the record; every field is there, but for a seed that was not noted, and what was not compared inside."""
        network = _written(self.network) if self.network else None
        if network and self.network and self.network.layers is None:
            network = {k: v for k, v in network.items() if k not in INSIDE}
        own = {k: v for k, v in _written(self).items() if k != "seed" or v is not None}
        return own | {"probes": [_written(p) for p in self.probes], "network": network}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "GateResult":
        """What was written."""
        probes = [_read(ProbeResult, p) for p in data.get("probes") or ()]
        found = data.get("network")
        return replace(_read(cls, data), probes=probes, network=_read(NetworkGate, found) if found else None)


Kind = TypeVar("Kind", ProbeResult, NetworkGate, GateResult)


def _read(kind: type[Kind], data: Mapping[str, Any]) -> Kind:
    """Fields that this version does not know stand in `extra`, and are written again."""
    known = kind.__dataclass_fields__.keys() - {"extra"}
    return kind(
        **{k: v for k, v in data.items() if k in known}, extra={k: v for k, v in data.items() if k not in known}
    )


def _written(kind: ProbeResult | NetworkGate | GateResult) -> dict[str, JsonValue]:
    return {k: v for k, v in vars(kind).items() if k != "extra"} | kind.extra
