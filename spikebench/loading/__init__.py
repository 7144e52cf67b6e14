"""From the text of a subject to a module that can be called, ours or somebody else's."""
