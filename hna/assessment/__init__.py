"""What the numbers mean together: chapters, three approaches, priorities."""
