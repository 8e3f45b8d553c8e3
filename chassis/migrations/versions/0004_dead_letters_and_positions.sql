ALTER TABLE dead_letters
    ADD COLUMN raw_key BYTEA,
    ADD COLUMN raw_headers JSONB,
    ADD COLUMN skipped_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN skipped_by TEXT,
    ADD COLUMN skipped_because TEXT;

DROP INDEX ix_dead_letters_id;

CREATE INDEX ix_dead_letters_open ON dead_letters (id) WHERE redriven_at IS NULL AND skipped_at IS NULL;

COMMENT ON COLUMN dead_letters.event_time IS 'as its envelope says; none when that cannot be';

COMMENT ON COLUMN dead_letters.raw_key IS 'the key''s bytes';

COMMENT ON COLUMN dead_letters.raw_headers IS 'of an envelope not as we write it: names, and values in base64';

COMMENT ON COLUMN dead_letters.skipped_at IS 'when somebody decided that it stays undone';

ALTER TABLE consumer_offsets ADD COLUMN since TIMESTAMP WITH TIME ZONE;

COMMENT ON COLUMN consumer_offsets.since IS 'from when on the facts of this place are known; none: from the first one';

CREATE TABLE home_id (
    one SMALLINT DEFAULT '1' NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_home_id PRIMARY KEY (one)
);

COMMENT ON COLUMN home_id.id IS 'whose events these are: the same in every database of a home';
