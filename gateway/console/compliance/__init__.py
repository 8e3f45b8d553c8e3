"""Compliance: what was found, what waits for a review, who is to account for it."""
