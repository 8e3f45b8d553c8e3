"""What is live: changes told by the server, and the figures in the bar."""
