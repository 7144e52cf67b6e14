"""Norse 1.1: its cells, lifted over time."""

REQUIRES = ("norse",)
INSTALL = "norse==1.1.*"
SECONDS_A_STEP = 0.00048
MARKER = "*"
DASHES = (4, 1, 1, 1)
