"""torch.autocast is a field of a case: it rounds what is timed, the gate allows for that, and recorded cases keep their ids."""

from typing import Any

import pytest
import torch

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.verify.gate import gate
from spikebench.workloads.layer import build

SIZES: dict[str, Any] = {"T": 16, "B": 2, "N": 8}


def test_autocast_rounds_products_and_passes_the_gate() -> None:
    case = Case("psn@eager", autocast="bfloat16", **SIZES)
    assert build(case, 0.3).launch().dtype == torch.bfloat16
    assert build(Case("psn@eager", **SIZES), 0.3).launch().dtype == torch.float32
    assert gate(case, 0.3).status == "passed"


def test_a_case_without_it_is_written_as_before() -> None:
    plain, cast = Case("lif@eager", **SIZES), Case("lif@eager", autocast="bfloat16", **SIZES)
    assert "autocast" not in plain.to_json()
    assert cast.to_json().get("autocast") == "bfloat16"
    assert plain.case_id != cast.case_id
    assert Case.from_json(cast.to_json()) == cast
    network = Case("lif@eager", T=16, B=2, workload="network", network="shd[width=8]", autocast="bfloat16")
    assert network.to_json().get("autocast") == network.gated.to_json().get("autocast") == "bfloat16"


@pytest.mark.parametrize(
    "fields",
    [{"autocast": "int8"}, {"autocast": "bfloat16", "mode": "stream"}, {"autocast": "float16", "dtype": "float64"}],
)
def test_what_cannot_be_cast_is_one_problem(fields: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="autocast"):
        Case("lif@eager", **SIZES, **fields)
