"""The neuron is never the larger part of a training step behind a Linear: 37 to 72 % of the Linear's time on a GPU"""

from spikebench.claims import _spyx

CLAIM = _spyx.claim(
    "GPU: the sequential neuron scan takes 37 to 72 % of the Linear's time in training, never the majority. CPU: the neuron "
    "comes near the Linear in training only where the layer is narrow, 0.7 to 1.06 at N = 64 (in short)",
    mode="train",
    on_cpu=1.06,
    on_gpu=0.72,
)
