"""Sinabs 3.1: its layers, batch first."""

REQUIRES = ("sinabs",)
INSTALL = "sinabs==3.1.*"
SECONDS_A_STEP = 0.00038
LONGEST_T = 1000
MARKER = "p"
DASHES = (2, 2)
