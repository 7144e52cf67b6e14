"""The types of a record's JSON, which is open: a file may hold fields of later versions, and they are kept."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypeAlias, TypedDict

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


class CaseJson(TypedDict):
    """A case as it is recorded; `point.py` writes it. The first versions had no `bias` and no `allocator`."""

    subject: str
    neuron: str
    backend: str
    T: int
    B: int
    N: int
    mode: str
    workload: str
    dtype: str
    device: str
    seed: int
    options: dict[str, bool | int | float | str | None]
    backend_options: dict[str, bool | int | float | str | None]
    rate: float | None
    network: str | None
    task: str | None
    bias: NotRequired[float | None]
    allocator: NotRequired[str]
