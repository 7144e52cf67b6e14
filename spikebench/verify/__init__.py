"""The gate, which a backend must pass before it is timed, and the checks that any neuron must pass."""
