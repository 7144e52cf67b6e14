"""The gradients of Fast and Deep with several spikes are exact"""

from spikebench.claim import Claim

CLAIM = Claim(
    paper="Bacho and Chu, Exploring Trade-offs in Spiking Neural Networks, 2022, arXiv 2212.09500",
    sentence="Gradients are exact where every neuron may fire several times, and training is fast (in short)",
    where="abstract and the authors' code, Florian-BACHO/bats",
    read="code",
    claimed=None,
    setting="spike times in continuous time, a membrane with twice the time constant of its synapse",
    known=False,
    hardware="GPU; the model was not read",
    timed="nothing; a statement",
    caveat="Near a grazing crossing the gradient of a spike time grows without bound, and where a spike appears or vanishes there is none.",
    absent="a statement, which no timing decides. The tests of the scheme fast_and_deep compare its gradients with finite differences and with the integrated "
    "differential equations, in float64, and its gate says in every record how exact they are; no ratio is published that could be measured",
    device="any",
    value=11,
)
