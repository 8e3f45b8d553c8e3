"""A believable branch for trying out: made-up people, clients and a month of work, in a home of its own."""
