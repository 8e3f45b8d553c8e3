CREATE TABLE recorded_contacts (
    contact_id TEXT NOT NULL,
    client_id TEXT,
    staff_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    direction TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    on_day DATE NOT NULL,
    valid BOOLEAN NOT NULL,
    topics TEXT[] NOT NULL,
    evidence TEXT,
    wait_s INTEGER,
    covers BOOLEAN NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_by TEXT NOT NULL,
    CONSTRAINT pk_recorded_contacts PRIMARY KEY (contact_id)
);
CREATE INDEX ix_recorded_contacts_client_id_at ON recorded_contacts (client_id, at);
CREATE INDEX ix_recorded_contacts_on_day ON recorded_contacts (on_day);
CREATE INDEX ix_recorded_covering ON recorded_contacts (client_id, on_day) WHERE covers;
COMMENT ON COLUMN recorded_contacts.wait_s IS 'how long the caller waited until the call was answered';
COMMENT ON COLUMN recorded_contacts.covers IS 'counts for coverage, where no contact of our own does';
COMMENT ON COLUMN recorded_contacts.recorded_by IS 'the broker''s system, or who entered it';
