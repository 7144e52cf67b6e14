"""What calls the loops: threads, blocks of a product of matrices, autograd frames that neurons share."""
