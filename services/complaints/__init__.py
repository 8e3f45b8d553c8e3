"""Complaints: every complaint owned, on the clock, escalated, answered, proven [C1-C29]."""
