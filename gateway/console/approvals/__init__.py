"""The inbox of everything that takes a second person."""
