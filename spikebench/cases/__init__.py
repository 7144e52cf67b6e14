"""Cases say what is measured: a subject, a workload and sizes. Sweeps are named lists of them. Nothing here imports torch."""
