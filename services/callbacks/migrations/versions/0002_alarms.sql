CREATE TABLE alarms (
    alarm_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_alarms PRIMARY KEY (alarm_id)
);

COMMENT ON COLUMN alarms.alarm_id IS 'UUIDv5 of kind and subject: raised once';

CREATE INDEX ix_alarms_raised_at ON alarms (raised_at);
