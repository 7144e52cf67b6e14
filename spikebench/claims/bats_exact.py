"""The gradients of Fast and Deep with several spikes are exact"""

from spikebench.claim import Claim

CLAIM = Claim(
    paper="Bacho and Chu, Exploring trade-offs in spiking neural networks, 2022; exact gradients for several spikes a neuron",
    sentence="Gradients are exact where every neuron may fire several times, and training is fast (in short)",
    where="abstract and the authors' code, Florian-BACHO/bats",
    read="code",
    claimed=None,
    setting="spike times in continuous time, a membrane with twice the time constant of its synapse",
    known=False,
    hardware="GPU; the model was not read",
    timed="nothing; a statement",
    caveat="Near a grazing crossing the gradient of a spike time grows without bound, and where a spike appears or vanishes there is none.",
    absent="its workload starts from events, and no claim of a ratio is in the abstract; whether the gradients are exact is tested against finite "
    "differences where the rule is implemented, and decides no speed",
    device="any",
    value=11,
)
