"""SpikingSSM's predictor against BPTT, 7.5 times at 1,000 steps to 101.2 times at 8,000"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Shen et al., SpikingSSMs: Learning Long Sequences with Sparse and Parallel "
    "Spiking State Space Models, AAAI 2025, arXiv 2408.14909",
    sentence="Milliseconds an iteration at 1K, 2K, 4K, 8K steps: BPTT 1370, 2900, 8040, 25600; SDN 183, 196, 200, 253",
    where="table of training times, in a translation of the paper",
    read="primary",
    claimed=Number("101.2x", 25600 / 253),
    setting="batch 64, 1,000 to 8,000 steps",
    known=True,
    hardware="one GPU; the model was not read",
    timed="a training iteration",
    absent="no neuron of this suite has the trained predictor of SpikingSSM",
    value=20,
)
