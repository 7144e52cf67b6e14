"""A case made concrete: tensors and a launcher, for layers, networks and trainings."""
