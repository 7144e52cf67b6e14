"""Makes a module that can be called from the text of a subject, whether the neuron is ours or somebody else's."""
