CREATE TABLE client_intervals (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	until DATE NOT NULL, 
	branch_id TEXT, 
	CONSTRAINT pk_client_intervals PRIMARY KEY (client_id, since)
);
COMMENT ON TABLE client_intervals IS 'of clients whose dated fields have changed; of all others `clients` speaks for every day';
COMMENT ON COLUMN client_intervals.since IS '-infinity for the first';
COMMENT ON COLUMN client_intervals.until IS 'exclusive; infinity for the last';
CREATE TABLE clients (
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	opened_on DATE, 
	kind TEXT, 
	account_status TEXT, 
	opener_id TEXT, 
	referrer_id TEXT, 
	birth_date DATE, 
	closed_on DATE, 
	stamps JSONB DEFAULT '{}' NOT NULL, 
	earlier JSONB DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_clients PRIMARY KEY (client_id)
);
COMMENT ON COLUMN clients.closed_on IS 'the first day without an account';
COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
COMMENT ON COLUMN clients.earlier IS 'words of dated fields not in force';
CREATE TABLE completeness (
	client_id TEXT NOT NULL, 
	month_end DATE NOT NULL, 
	branch_id TEXT, 
	"of" TEXT NOT NULL, 
	whole NUMERIC NOT NULL, 
	entered NUMERIC NOT NULL, 
	policy TEXT NOT NULL, 
	CONSTRAINT pk_completeness PRIMARY KEY (client_id, month_end)
);
CREATE INDEX ix_completeness_month_end_branch_id ON completeness (month_end, branch_id);
COMMENT ON COLUMN completeness."of" IS 'the set asked for';
CREATE TABLE cores (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	core BOOLEAN NOT NULL, 
	CONSTRAINT pk_cores PRIMARY KEY (client_id, since)
);
CREATE TABLE cores_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	told JSONB NOT NULL, 
	CONSTRAINT pk_cores_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE cores_changes IS 'what cores is the fold of';
CREATE TABLE information_values (
	client_id TEXT NOT NULL, 
	code TEXT NOT NULL, 
	day DATE NOT NULL, 
	own BOOLEAN NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	fact_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	source TEXT NOT NULL, 
	person TEXT NOT NULL, 
	value TEXT, 
	sealed BYTEA, 
	evidence TEXT, 
	until DATE, 
	passed TEXT, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_information_values PRIMARY KEY (client_id, code, day, own, at, fact_id), 
	CONSTRAINT ck_information_values_state CHECK (state IN ('stated', 'unknown', 'refused', 'withdrawn')), 
	CONSTRAINT ck_information_values_clear_or_sealed CHECK (value IS NULL OR sealed IS NULL)
);
CREATE INDEX ix_information_values_in_force ON information_values (client_id, code, day DESC, own DESC, at DESC, fact_id DESC);
COMMENT ON COLUMN information_values.day IS 'the business date from which it counts';
COMMENT ON COLUMN information_values.own IS 'the client''s own word, which beats the staff''s of the day';
COMMENT ON COLUMN information_values.at IS 'when it was said';
COMMENT ON COLUMN information_values.fact_id IS 'of the event, or of the entry';
COMMENT ON COLUMN information_values.state IS 'stated, unknown, refused [CI3]; withdrawn: the system takes it back';
COMMENT ON COLUMN information_values.source IS 'S, E, C, T, H, M [CI1]';
COMMENT ON COLUMN information_values.person IS 'who entered it; of the system''s the service';
COMMENT ON COLUMN information_values.value IS 'of indicators that are not personal';
COMMENT ON COLUMN information_values.sealed IS 'encrypted: of personal ones';
COMMENT ON COLUMN information_values.until IS 'the last day it counts by its own date, where it has one';
COMMENT ON COLUMN information_values.passed IS 'why a doubt was passed [CI9]';
CREATE TABLE lifecycles (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	lifecycle TEXT NOT NULL, 
	CONSTRAINT pk_lifecycles PRIMARY KEY (client_id, since)
);
CREATE TABLE lifecycles_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	told JSONB NOT NULL, 
	CONSTRAINT pk_lifecycles_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE lifecycles_changes IS 'what lifecycles is the fold of';
CREATE TABLE months (
	client_id TEXT NOT NULL, 
	month_end DATE NOT NULL, 
	revision INTEGER NOT NULL, 
	mean_assets NUMERIC, 
	turnover NUMERIC, 
	commission NUMERIC, 
	worth NUMERIC, 
	value_type TEXT, 
	rank INTEGER, 
	investor_type TEXT, 
	CONSTRAINT pk_months PRIMARY KEY (client_id, month_end)
);
COMMENT ON COLUMN months.worth IS 'the value V [V1]';
CREATE TABLE permissions (
	client_id TEXT NOT NULL, 
	permission TEXT NOT NULL, 
	granted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_permissions PRIMARY KEY (client_id, permission)
);
CREATE TABLE tiers (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	until DATE, 
	tier TEXT NOT NULL, 
	CONSTRAINT pk_tiers PRIMARY KEY (client_id, since)
);
COMMENT ON COLUMN tiers.until IS 'exclusive; empty: until the next one';
CREATE TABLE tiers_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	told JSONB NOT NULL, 
	CONSTRAINT pk_tiers_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE tiers_changes IS 'what tiers is the fold of';
CREATE TABLE valuations (
	client_id TEXT NOT NULL, 
	as_of DATE NOT NULL, 
	total_assets NUMERIC NOT NULL, 
	cash NUMERIC, 
	market_value NUMERIC, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	fact_id TEXT NOT NULL, 
	CONSTRAINT pk_valuations PRIMARY KEY (client_id, as_of)
);
