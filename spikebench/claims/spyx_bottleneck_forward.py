"""The forward pass behind a Linear is bound by the matrix product: the neuron is 20 to 45 % of the Linear's time"""

from spikebench.claims import _spyx

CLAIM = _spyx.claim(
    "Every forward regime is bound by the matrix product: the sequential neuron scan takes 21 to 45 % of the Linear's time on "
    "the GPU, and 20 to 38 % on the CPU (in short)",
    mode="forward",
    on_cpu=0.38,
    on_gpu=0.45,
)
