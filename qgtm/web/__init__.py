"""The read-only API and the phone's first page."""
