"""spyx 1.0: its neurons in JAX, compiled, a scan over steps that its own `run` makes."""

REQUIRES = ("spyx", "jax")
DISTRIBUTIONS = ("spyx", "jax", "jaxlib")
INSTALL = "spyx==1.0.*"
DEVICES = ("cpu",)
MARKER = "X"
DASHES = (6, 1)
