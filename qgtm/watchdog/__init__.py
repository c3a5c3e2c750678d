"""The dead-man's switch: a process of its own that shares only the language."""
