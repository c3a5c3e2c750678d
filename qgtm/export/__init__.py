"""Print notebooks into modules, and say what was printed in a manifest."""
