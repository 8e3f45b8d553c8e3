CREATE TABLE callers (
    subject TEXT NOT NULL,
    owner TEXT NOT NULL,
    name BYTEA,
    phone BYTEA,
    CONSTRAINT pk_callers PRIMARY KEY (subject)
);

COMMENT ON COLUMN callers.subject IS 'the missed call''s or the booking''s id, as its task''s';
COMMENT ON COLUMN callers.owner IS 'whose key: the client''s, or that of the call or booking';
COMMENT ON COLUMN callers.name IS 'encrypted';
COMMENT ON COLUMN callers.phone IS 'encrypted';

CREATE INDEX ix_callers_owner ON callers (owner);
