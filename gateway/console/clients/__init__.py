"""Clients: a purchase judged before it is made, and the client's own zone."""
