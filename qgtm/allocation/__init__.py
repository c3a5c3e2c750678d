"""From the strategies' signals to target weights, printed from notebooks/allocation."""
