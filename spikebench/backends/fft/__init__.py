"""Reset-free neurons as a causal convolution by FFT, the way their authors compute them, padded so that nothing wraps."""

PARALLEL_IN_TIME = True
MARKER = "P"
