"""Fused layers as operators of torch.library, in triton's interpreter, which a process chooses when it imports triton."""

import importlib.metadata

import pytest
from interpreting import Interpreted

triton = pytest.importorskip("triton", reason="triton is not installed")

VERSION = tuple(int(n) for n in triton.__version__.split(".")[:2])
NUMPY = tuple(int(n) for n in importlib.metadata.version("numpy").split(".")[:2])


@pytest.mark.skipif(VERSION < (3, 7) and NUMPY >= (2, 4), reason="triton's interpreter before 3.7 fails with numpy 2.4")
@pytest.mark.timeout(300)
@pytest.mark.interprets("interpreted_operator.py")
@pytest.mark.long
def test_networks_with_fused_layers_compile_without_a_graph_break(interpreted: Interpreted) -> None:
    passed, skipped = interpreted.passed("interpreted_operator")
    assert passed > 0 and skipped == 0
