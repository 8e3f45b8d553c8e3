CREATE TABLE poll_positions (
	name TEXT NOT NULL,
	position TEXT NOT NULL,
	CONSTRAINT pk_poll_positions PRIMARY KEY (name)
);
COMMENT ON COLUMN poll_positions.position IS 'the provider''s cursor';
