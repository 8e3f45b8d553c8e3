"""Suitability (适当性): the right product to the right client, with the evidence."""
