"""From the journal to what people look at: pure functions of events."""
