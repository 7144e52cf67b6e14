"""What a person asks for, each as a function: run, compare, profile, train, check, reproduce, and a GPU session with a budget."""
