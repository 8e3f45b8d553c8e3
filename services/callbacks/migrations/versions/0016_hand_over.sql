CREATE TABLE requests (
    request_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    fields JSONB NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    not_after TIMESTAMP WITH TIME ZONE,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    channel TEXT,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_requests PRIMARY KEY (request_id)
);
CREATE INDEX ix_requests_client_id ON requests (client_id);
COMMENT ON COLUMN requests.request_id IS 'UUIDv5 of kind, client and period';
COMMENT ON COLUMN requests.state IS 'asked, then as messaging says';
-- Nobody is asked for again what was planned or sent before.
INSERT INTO requests (request_id, client_id, kind, cause, fields, asked_at, not_before, not_after, state, reason, channel,
                      changed_at)
SELECT message_id, client_id, kind, message_id::text, inputs, planned_at, due_at, limit_at,
       CASE state WHEN 'sending' THEN 'unknown' WHEN 'sent' THEN 'handed' WHEN 'undeliverable' THEN 'undelivered'
                  WHEN 'skipped' THEN 'suppressed' WHEN 'missed' THEN 'expired' ELSE state END,
       reason, channel, coalesce(sent_at, planned_at)
FROM messages;
CREATE TABLE handed_over (
    part TEXT NOT NULL,
    after TEXT,
    count INTEGER NOT NULL,
    CONSTRAINT pk_handed_over PRIMARY KEY (part)
);
COMMENT ON COLUMN handed_over.part IS 'message, opt_out, ...; end when all of it is told';
COMMENT ON COLUMN handed_over.after IS 'where the next turn goes on; empty: all of the part is told';
