"""Callbacks: the next call, lists, and the supervisor's wall."""
