"""The embedded paper exchange: a deterministic core that speaks Alpaca's protocol behind two fronts."""
