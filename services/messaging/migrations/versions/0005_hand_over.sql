CREATE TABLE taken_over (
	item_id UUID NOT NULL,
	CONSTRAINT pk_taken_over PRIMARY KEY (item_id)
);
CREATE TABLE hand_overs (
	publisher TEXT NOT NULL,
	taken INTEGER NOT NULL,
	told INTEGER,
	CONSTRAINT pk_hand_overs PRIMARY KEY (publisher)
);
COMMENT ON COLUMN hand_overs.told IS 'by its end mark';
