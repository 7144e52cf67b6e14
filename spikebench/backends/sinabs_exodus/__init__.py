"""EXODUS in its authors' own CUDA kernels, sinabs-exodus 2.0: layers of Sinabs, batch first."""

REQUIRES = ("sinabs", "exodus_cuda")
DEVICES = ("cuda",)
DISTRIBUTIONS = ("sinabs", "sinabs-exodus")
INSTALL = "sinabs-exodus==2.0.*"
