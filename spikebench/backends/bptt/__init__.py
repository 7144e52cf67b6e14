"""Backpropagation through time by autograd through a loop over x[t]: the published opponent of EXODUS and SLAYER."""
