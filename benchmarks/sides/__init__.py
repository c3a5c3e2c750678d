"""The same work in each framework: one file a framework, each run in an environment of its own."""
