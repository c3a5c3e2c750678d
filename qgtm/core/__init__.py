"""The language that every other room speaks: standard library only, no I/O, no clock."""
