"""Workloads: a case with its tensors and one call that does its work once, for layers, networks and trainings."""
