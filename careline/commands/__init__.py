"""The commands, one file per group. What is heavy to import is imported where it is needed."""
