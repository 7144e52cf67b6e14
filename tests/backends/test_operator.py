"""Fused layers as operators of torch.library, in triton's interpreter, which a process chooses when it imports triton."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton", reason="triton is not installed")

VERSION = tuple(int(n) for n in triton.__version__.split(".")[:2])
NUMPY = tuple(int(n) for n in importlib.metadata.version("numpy").split(".")[:2])


@pytest.mark.skipif(VERSION < (3, 7) and NUMPY >= (2, 4), reason="triton's interpreter before 3.7 fails with numpy 2.4")
def test_networks_with_fused_layers_compile_without_a_graph_break() -> None:
    tests = Path(__file__).parents[1] / "interpreted_operator.py"
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tests.parents[1], env=environment)
    assert done.returncode == 0, done.stdout[-8000:]
    assert re.search(r"\d+ passed", done.stdout) and "skipped" not in done.stdout
