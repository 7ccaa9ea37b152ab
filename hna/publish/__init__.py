"""Floor 6: what is read."""
