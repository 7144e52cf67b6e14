"""How a running workload is sampled."""
