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
CREATE TABLE entitlements (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	stretches JSONB NOT NULL, 
	CONSTRAINT pk_entitlements PRIMARY KEY (client_id)
);
CREATE TABLE entitlements_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	stretches JSONB NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_entitlements_changes PRIMARY KEY (client_id, revision)
);
CREATE TABLE habits (
	client_id TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	since DATE NOT NULL, 
	code TEXT, 
	CONSTRAINT pk_habits PRIMARY KEY (client_id, revision)
);
CREATE TABLE holds (
	client_id TEXT NOT NULL, 
	hold TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	placed_at TIMESTAMP WITH TIME ZONE, 
	lifted_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_holds PRIMARY KEY (client_id, hold)
);
COMMENT ON COLUMN holds.hold IS 'complaints/ID, suitability/ID';
COMMENT ON COLUMN holds.scope IS 'a product, or ALL';
CREATE TABLE overrides (
	client_id TEXT NOT NULL, 
	override_id UUID NOT NULL, 
	code TEXT NOT NULL, 
	since DATE NOT NULL, 
	until DATE NOT NULL, 
	reason TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	decided_by TEXT NOT NULL, 
	CONSTRAINT pk_overrides PRIMARY KEY (client_id, override_id), 
	CONSTRAINT ck_overrides_days CHECK (since < until)
);
