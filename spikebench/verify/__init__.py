"""What a backend must equal before it is timed, and what any neuron must hold to."""
