"""What notebooks share: bars to run on, a thin back-test, and pictures."""
