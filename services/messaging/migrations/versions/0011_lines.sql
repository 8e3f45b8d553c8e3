CREATE TABLE entitlements (
	client_id TEXT NOT NULL,
	code TEXT NOT NULL,
	source TEXT NOT NULL,
	since DATE NOT NULL,
	until DATE,
	CONSTRAINT pk_entitlements PRIMARY KEY (client_id, code, source, since)
);
COMMENT ON COLUMN entitlements.until IS 'exclusive; empty when open';
CREATE INDEX ix_entitlements_code_since ON entitlements (code, since);
CREATE TABLE entitlements_changes (
	client_id TEXT NOT NULL,
	revision BIGINT NOT NULL,
	changed_from DATE NOT NULL,
	told JSONB NOT NULL,
	CONSTRAINT pk_entitlements_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE entitlements_changes IS 'what entitlements is the fold of';
CREATE TABLE holdings (
	client_id TEXT NOT NULL,
	symbol TEXT NOT NULL,
	as_of DATE NOT NULL,
	quantity NUMERIC NOT NULL,
	value NUMERIC NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	fact_id TEXT NOT NULL,
	CONSTRAINT pk_holdings PRIMARY KEY (client_id, symbol, as_of)
);
CREATE INDEX ix_holdings_symbol_as_of ON holdings (symbol, as_of);
CREATE INDEX ix_holdings_as_of ON holdings (as_of);
CREATE TABLE notices (
	notice_id TEXT NOT NULL,
	symbol TEXT NOT NULL,
	kind TEXT NOT NULL,
	on_day DATE NOT NULL,
	CONSTRAINT pk_notices PRIMARY KEY (notice_id)
);
CREATE INDEX ix_notices_on_day ON notices (on_day);
CREATE TABLE allotments (
	client_id TEXT NOT NULL,
	allotment_id TEXT NOT NULL,
	symbol TEXT NOT NULL,
	quantity NUMERIC NOT NULL,
	pay_by DATE NOT NULL,
	CONSTRAINT pk_allotments PRIMARY KEY (client_id, allotment_id)
);
CREATE INDEX ix_allotments_pay_by ON allotments (pay_by);
CREATE TABLE lines_late (
	client_id TEXT NOT NULL,
	CONSTRAINT pk_lines_late PRIMARY KEY (client_id)
);
CREATE TABLE content_days (
	code TEXT NOT NULL,
	day DATE NOT NULL,
	payers INTEGER NOT NULL,
	lines INTEGER NOT NULL,
	generated INTEGER NOT NULL,
	alarm BOOLEAN NOT NULL,
	CONSTRAINT pk_content_days PRIMARY KEY (code, day)
);
COMMENT ON COLUMN content_days.payers IS 'how many had it';
COMMENT ON COLUMN content_days.lines IS 'of the desk';
COMMENT ON COLUMN content_days.generated IS 'messages made of facts';
COMMENT ON COLUMN content_days.alarm IS 'the second trading day without any';
ALTER TABLE mailings ADD COLUMN symbols TEXT[] DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN mailings.symbols IS 'the instruments a line is about [MS17]';
ALTER TABLE mailings ADD COLUMN holders_only BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN mailings.holders_only IS 'it goes to those alone who hold one of them';
