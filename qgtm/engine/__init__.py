"""State and event in, state and effects out, printed from notebooks/engine."""
