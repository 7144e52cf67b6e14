"""EventProp with delays is up to 26 times faster than a dilated convolution, and needs less than half of its memory"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Mészáros, Knight and Nowotny, Efficient event-based delay learning in spiking neural networks, 2025, arXiv 2501.07331",
    sentence="less than half the memory of a method by dilated convolutions, and up to 26 times faster (in short)",
    where="abstract",
    read="primary",
    claimed=Number("26x"),
    setting="networks with delays that learn, recurrent too; sizes, data and GPU of this figure were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="training; what it includes was not read",
    absent="eventprop has no delays that learn and no recurrent synapses here: its rule has one more term for a delay, which is missing, and so are its "
    "kernels on a GPU; the opponent is there, delays as positions in a dilated kernel, as projection[delays=25]",
    value=12,
)
