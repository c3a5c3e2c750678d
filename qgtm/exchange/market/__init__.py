"""Where the exchange's prices come from: a seeded path, or recorded daily bars."""
