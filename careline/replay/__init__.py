"""Replaying a folder of real data: files to facts, facts onto the log, services caught up."""
