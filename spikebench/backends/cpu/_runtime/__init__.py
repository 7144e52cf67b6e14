"""What runs the compiled loops of `_kernels`: threads, blocks of matrix products, and autograd functions that neurons share."""
