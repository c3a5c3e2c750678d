"""What may be sent and when to stop, printed from notebooks/risk."""
