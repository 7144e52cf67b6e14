"""asv benchmarks: views of sweeps that spikebench's own engine measures."""
