"""Floor 1: what a number is."""
