"""snnTorch 1.0: its neurons in its own loop over steps."""
