"""SpikingJelly 2.0: its neurons in multi-step mode."""

REQUIRES = ("spikingjelly",)
INSTALL = "spikingjelly==2.0.*"
MARKER = ">"
DASHES = (8, 2)
CAN = {"surrogate": ("atan", "sigmoid", "triangle", "fast_sigmoid")}
NEEDS = (({"surrogate": "fast_sigmoid"}, "slope", (1.0,), "its SuperSpike is the fast sigmoid of slope 1"),)
