"""The store: what was accepted, what was tried, how it ended."""
