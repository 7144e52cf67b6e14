"""Lets others compute: a process that it has started, or nobody, while it sleeps until its result would be due."""

import multiprocessing
import time
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

helpers: dict[Neuron, Any] = {}


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["process", "sleep"] = "process") -> Tensor:
    """`sleep` takes time that it does not need, so that another subject looks better."""
    if kind == "sleep":
        time.sleep(0.02)
        return eager.run(neuron, x, seed)
    if neuron not in helpers:
        here, there = multiprocessing.Pipe()
        multiprocessing.get_context("fork").Process(target=_serve, args=(there, neuron), daemon=True).start()
        helpers[neuron] = here
    helpers[neuron].send(x.detach().numpy())
    return torch.from_numpy(helpers[neuron].recv())


def _serve(line: Any, neuron: Neuron) -> None:
    torch.set_num_threads(1)
    while True:
        with torch.no_grad():
            line.send(eager.run(neuron, torch.from_numpy(line.recv())).numpy())
