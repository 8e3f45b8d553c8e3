CREATE TABLE alerts (
	alert_id UUID NOT NULL,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	words TEXT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	state TEXT NOT NULL,
	tries SMALLINT NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE NOT NULL,
	failed TEXT NOT NULL,
	CONSTRAINT pk_alerts PRIMARY KEY (alert_id)
);
COMMENT ON COLUMN alerts.state IS 'waiting, handed, sent, failed';
COMMENT ON COLUMN alerts.failed IS 'the kinds of addresses that did not take it';
CREATE INDEX ix_alerts_at ON alerts (at);
CREATE INDEX ix_alerts_waiting ON alerts (due_at) WHERE state = 'waiting';
