"""Relationships: every client known, owned, visited and handed on without loss."""
