"""Floor 2: what is observed, and how it compares."""
