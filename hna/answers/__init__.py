"""Floor 4: what follows."""
