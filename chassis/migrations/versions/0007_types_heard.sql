CREATE TABLE heard_types (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    type TEXT NOT NULL,
    next BIGINT,
    since TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_heard_types PRIMARY KEY (topic, partition, type)
);

COMMENT ON COLUMN heard_types.next IS 'where it reads on until it has come up with its place; none: it goes with the place';

COMMENT ON COLUMN heard_types.since IS 'from when on facts of this type are known; none: from the first one';

ALTER TABLE consumer_offsets ADD COLUMN hearing INTEGER NOT NULL DEFAULT 0;

COMMENT ON COLUMN consumer_offsets.hearing IS 'raised when a version begins to hear more types: who hears fewer moves nothing any more';
