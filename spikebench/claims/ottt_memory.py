"""Memory of OTTT does not grow with the number of steps, 2 to 3 times less than BPTT at 6 steps"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Xiao, Meng, Zhang, He and Lin, Online Training Through Time for Spiking Neural Networks, NeurIPS 2022",
    sentence="Memory is constant in the number of steps, and 2 to 3 times less than that of BPTT at 6 steps (in short)",
    where="a summary of the paper",
    read="secondary",
    claimed=Number("2-3x"),
    setting="CIFAR-10, 6 steps",
    known=False,
    hardware="any",
    timed="nothing; peak memory of training",
    absent="OTTT learns through its synapses and does not fit a neuron that maps currents to spikes",
    device="any",
    value=20,
)
