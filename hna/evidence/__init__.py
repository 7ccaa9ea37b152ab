"""Floor 2: what is known."""
