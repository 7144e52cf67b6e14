"""The networks that claims are about, one per file; the file name is the id. What a network is: `spikebench/network.py`."""
