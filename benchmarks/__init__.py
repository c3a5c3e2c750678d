"""How fast it starts, how fast it thinks, and how that compares."""
