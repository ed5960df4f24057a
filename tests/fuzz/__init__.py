"""Generated input for the parsers, and what may be made of it."""
