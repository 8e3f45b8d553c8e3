CREATE TABLE heads (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_heads PRIMARY KEY (topic, partition)
);

CREATE TABLE log (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    written_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    traceparent TEXT,
    value BYTEA NOT NULL,
    CONSTRAINT pk_log PRIMARY KEY (topic, partition, "offset", written_at)
)
 PARTITION BY RANGE (written_at);

COMMENT ON COLUMN log.written_at IS 'how old lag is; its part';

CREATE TABLE relay_cursors (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_relay_cursors PRIMARY KEY (topic, partition)
);

COMMENT ON COLUMN relay_cursors.next IS 'shipped to Kafka up to here';
