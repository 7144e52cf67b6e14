"""Static pages from records and submissions: boards, neurons, machines, claims, submissions and records. They open from a disk."""
