"""The lanes: each a process of its own that reads one topic to its end and prints what it did and what it cost."""
