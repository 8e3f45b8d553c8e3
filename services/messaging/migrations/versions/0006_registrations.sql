CREATE TABLE registrations (
	registration_id UUID NOT NULL,
	staff_id TEXT NOT NULL,
	channel TEXT NOT NULL,
	token TEXT NOT NULL,
	address BYTEA,
	registered_by TEXT NOT NULL,
	registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
	ended_by TEXT,
	ended_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_registrations PRIMARY KEY (registration_id)
);
CREATE INDEX ix_registrations_staff_id ON registrations (staff_id);
CREATE UNIQUE INDEX ix_registrations_in_force ON registrations (channel, token) WHERE ended_at IS NULL;
COMMENT ON COLUMN registrations.address IS 'encrypted';
