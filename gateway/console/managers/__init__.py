"""Managers: their clients and what is due, and the allocation of a branch."""
