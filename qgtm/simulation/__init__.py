"""The daemon, the watchdog and the exchange in one process, on a clock set by hand."""
