"""One file a vendor or store: the world behind the ports."""
