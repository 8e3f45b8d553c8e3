"""Policy: every table as a form, its draft tried in shadow, published by a second person."""
