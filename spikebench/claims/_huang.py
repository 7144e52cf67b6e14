"""What the claims of the PRF paper share."""

PAPER = (
    "Huang et al., PRF: Parallel Resonate and Fire Neuron for Long Sequence Learning in Spiking Neural Networks, "
    "arXiv 2410.03530"
)
HARDWARE = "RTX 4090"
LIF, DECOUPLED = "lif[decay=0.5]", "prf_lif[decay=0.5]@eager"
DOUBT = (
    "The text was read from a scan. As printed the decoupled neuron sums spikes without decay, which is another neuron; "
    "the corrected one, which equals LIF, is measured."
)
