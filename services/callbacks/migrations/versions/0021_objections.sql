CREATE TABLE objections (
    objection_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    until DATE,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_by TEXT NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by TEXT,
    end_reason TEXT,
    CONSTRAINT pk_objections PRIMARY KEY (objection_id),
    CONSTRAINT ck_objections_scope CHECK (scope IN ('all', 'care'))
);
COMMENT ON TABLE objections IS 'who is not to be called [B20]';
COMMENT ON COLUMN objections.scope IS 'all calls; care: all but those of compliance and complaints';
COMMENT ON COLUMN objections.reason IS 'masked';
COMMENT ON COLUMN objections.until IS 'the last day; empty: until it is ended';
COMMENT ON COLUMN objections.end_reason IS 'masked';
CREATE INDEX ix_objections_client_id ON objections (client_id) WHERE ended_at IS NULL;
INSERT INTO objections (objection_id, client_id, scope, reason, since, recorded_by)
SELECT gen_random_uuid(), client_id, 'all', 'asked before', now(), 'careline' FROM clients WHERE do_not_call;
ALTER TABLE clients DROP COLUMN do_not_call;
