"""How events travel: one record shape, one way to place keys, two buses."""
