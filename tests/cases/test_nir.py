"""NIR files: what they say of lif comes back as the same subject, steps as NIR's equations do, and the rest is refused."""

import math
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest

from spikebench.cases import nir as nir_graph
from spikebench.cases.alike import Chosen
from spikebench.cases.options import number
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem

nir = pytest.importorskip("nir", reason="needs the package nir: pip install -e '.[nir]'")
DT = 1e-3
HARD = "reset=hard,strict=true"
SAID = [
    f"lif[{HARD}]",
    f"lif[decay=0.5,threshold=0.25,{HARD},input_scale=1-decay]",
    f"lif[decay=0.95,{HARD},synapse_decay=0.8]",
    f"lif[decay=0.95,{HARD},input_scale=1-decay,synapse_decay=0.8]",
    f"lif[decay=1.0,threshold=2.0,{HARD}]",
]


@pytest.mark.parametrize("rule", ["exact", "euler"])
@pytest.mark.parametrize("subject", SAID)
def test_what_is_written_comes_back(tmp_path: Path, subject: str, rule: nir_graph.Rule) -> None:
    nir_graph.write(subject, tmp_path / "n.nir", 3, DT, rule)
    found = nir_graph.subjects(tmp_path / "n.nir", DT, rule)
    (back,) = found.values()
    assert not isinstance(back, Problem)
    want, got = parse_subject(subject).all_options, parse_subject(back).all_options
    assert {k: v for k, v in got.items() if not isinstance(v, float)} == {
        k: v for k, v in want.items() if not isinstance(v, float)
    }
    assert all(math.isclose(number(got[k]), v, rel_tol=1e-8) for k, v in want.items() if isinstance(v, float))


def test_a_written_node_has_the_membrane_of_the_continuous_equation(tmp_path: Path) -> None:
    """Constant current from rest: v(t) = r·I·(1 − exp(−t/τ)) below the threshold, which is where the first spike falls."""
    import torch

    from spikebench.loading.subject import load

    tau, current, threshold = 0.02, 1.3, 1.0
    values: dict[str, Any] = {"tau": tau, "r": 1.0, "v_leak": 0.0, "v_threshold": threshold}
    node = nir.LIF(**{k: np.full(2, v) for k, v in values.items()})
    ends = {"input": nir.Input({"input": np.array([2])}), "output": nir.Output({"output": np.array([2])})}
    graph = nir.NIRGraph(nodes={**ends, "n": node}, edges=[("input", "n"), ("n", "output")])
    nir.write(str(tmp_path / "n.nir"), graph)
    (subject,) = nir_graph.subjects(tmp_path / "n.nir", DT).values()
    spikes = load(parse_subject(str(subject)), 2, 100, torch.float64, "cpu")(torch.full((100, 1, 2), current).double())
    first = math.floor(-tau * math.log(1 - threshold / current) / DT)  # steps after which v is beyond the threshold
    assert int(spikes[:, 0, 0].argmax()) == first


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (
            "LIF",
            {"tau": [0.02, 0.03], "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0},
            "'n' has a tau per neuron (0.02 to 0.03)",
        ),
        ("LIF", {"tau": 0.02, "r": 1.0, "v_leak": 0.5, "v_threshold": 1.0}, "v_leak other than 0"),
        ("LIF", {"tau": 0.02, "r": 7.0, "v_leak": 0.0, "v_threshold": 1.0}, "scales its input by"),
        ("LIF", {"tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": -1.0}, "v_reset other than 0"),
        ("LI", {"tau": 0.02, "r": 1.0, "v_leak": 0.0}, "it emits its membrane"),
    ],
)
def test_what_lif_cannot_be_is_refused_by_name(tmp_path: Path, kind: str, values: dict[str, Any], said: str) -> None:
    node = getattr(nir, kind)(**{k: np.broadcast_to(np.asarray(v, float), 2).copy() for k, v in values.items()})
    ends = {"input": nir.Input({"input": np.array([2])}), "output": nir.Output({"output": np.array([2])})}
    nir.write(str(tmp_path / "n.nir"), nir.NIRGraph(nodes={**ends, "n": node}, edges=[("input", "n"), ("n", "output")]))
    found = nir_graph.subjects(tmp_path / "n.nir", DT)
    assert isinstance(found["n"], Problem)
    assert said in str(found["n"])


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("lif", "reset=soft; NIR's neurons have reset=hard"),
        ("lif[reset=hard]", "strict=false; NIR's neurons have strict=true"),
        ("psu", "NIR has no psu"),
    ],
)
def test_what_nir_cannot_say_is_refused_by_name(tmp_path: Path, subject: str, said: str) -> None:
    with pytest.raises(Problem, match=said):
        nir_graph.write(subject, tmp_path / "n.nir", 1, DT)


def test_what_is_left_open_is_as_nir_has_it() -> None:
    found = nir_graph.sayable("lif[decay=0.95]")
    assert found == Chosen(
        ["lif[decay=0.95,reset=hard,strict=true]@eager"],
        "lif[decay=0.95]: taken with reset=hard, strict=true, because NIR's neurons have no other",
    )
    for text in (f"lif[{HARD}]", "lif[reset=soft]", "psu"):
        assert nir_graph.sayable(text).said is None  # it is right, or what was typed is refused by `write`


def test_the_command_writes_a_neuron_as_typed_and_says_how(tmp_path: Path) -> None:
    done = commands.run("to-nir", "lif", "-o", str(tmp_path / "n.nir"))
    assert done.returncode == 0 and "spikebench: lif: taken with reset=hard, strict=true" in done.stderr
    (back,) = nir_graph.subjects(tmp_path / "n.nir", DT).values()
    assert parse_subject(str(back)).options == {"reset": "hard", "strict": True}


def test_what_is_no_graph_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "n.nir").write_text("no graph")
    with pytest.raises(Problem, match=r"n.nir: not an HDF5 file, or damaged"):
        nir_graph.subjects(tmp_path / "n.nir", DT)
