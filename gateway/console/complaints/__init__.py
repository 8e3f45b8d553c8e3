"""Complaints: the queue, intake, and the case."""
