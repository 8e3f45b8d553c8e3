"""The life cycle of every server Careline starts itself: start, find again after kill -9, recover, stop."""
