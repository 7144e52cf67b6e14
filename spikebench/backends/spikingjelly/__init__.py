"""SpikingJelly 2.0: its neurons in multi-step mode."""

REQUIRES = ("spikingjelly",)
MARKER = ">"
DASHES = (8, 2)
