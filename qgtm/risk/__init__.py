"""What the fund may hold and lose, printed from notebooks/risk."""
