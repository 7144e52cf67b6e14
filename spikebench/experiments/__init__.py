"""What a person asks for: comparisons, profiles, a visit to a GPU."""
