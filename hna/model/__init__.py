"""Floor 3: what is assumed."""
