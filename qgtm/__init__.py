"""A kit with which two people can run a systematic gold and silver fund."""

__version__ = "0.1.0"
