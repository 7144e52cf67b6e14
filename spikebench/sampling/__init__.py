"""Ways of sampling a running workload that several metrics share; now PyTorch's profiler."""
