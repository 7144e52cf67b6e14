"""snnTorch 1.0: its neurons in its own loop over steps."""

REQUIRES = ("snntorch",)
INSTALL = "snntorch==1.0.*"
SECONDS_A_STEP = 0.0005
MARKER = "<"
DASHES = (3, 1)
