"""Backup, restore and the drill that tries both, with PostgreSQL's own programs."""
