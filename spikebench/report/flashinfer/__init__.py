"""Records as a trace set of FlashInfer-Bench, and such a set as records: definitions, solutions, workloads and traces."""
