"""The daemon and those who start it: boot, loop, schedule, supervision."""
