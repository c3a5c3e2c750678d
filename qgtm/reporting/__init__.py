"""The run ledger and the Sunday report's rendering."""
