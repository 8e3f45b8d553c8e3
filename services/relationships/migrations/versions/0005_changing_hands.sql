CREATE TABLE cadence_months (
	month_end DATE NOT NULL, 
	person TEXT NOT NULL, 
	branch_id TEXT NOT NULL, 
	tier TEXT NOT NULL, 
	clients INTEGER NOT NULL, 
	met INTEGER NOT NULL, 
	policy TEXT NOT NULL, 
	CONSTRAINT pk_cadence_months PRIMARY KEY (month_end, person, branch_id, tier)
);
CREATE INDEX ix_cadence_months_branch_id_month_end ON cadence_months (branch_id, month_end);
CREATE TABLE contact_reservations (
	request_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	source TEXT NOT NULL, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	not_after TIMESTAMP WITH TIME ZONE NOT NULL, 
	granted BOOLEAN NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_contact_reservations PRIMARY KEY (request_id)
);
CREATE INDEX ix_contact_reservations_client_id_asked_at ON contact_reservations (client_id, asked_at);
COMMENT ON COLUMN contact_reservations.source IS 'the service that asks';
CREATE TABLE open_items (
	kind TEXT NOT NULL, 
	item_id TEXT NOT NULL, 
	client_id TEXT, 
	topic TEXT, 
	since TIMESTAMP WITH TIME ZONE, 
	due_on DATE, 
	generation INTEGER NOT NULL, 
	"over" BOOLEAN NOT NULL, 
	CONSTRAINT pk_open_items PRIMARY KEY (kind, item_id)
);
CREATE INDEX ix_open_items_client_id ON open_items (client_id);
COMMENT ON COLUMN open_items.kind IS 'task, case';
COMMENT ON COLUMN open_items.client_id IS 'none until its beginning is heard';
COMMENT ON COLUMN open_items.generation IS 'of a case: each opening once more is one higher';
COMMENT ON COLUMN open_items."over" IS 'of that generation';
CREATE TABLE manager_changes (
	request_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	wished TEXT, 
	reason TEXT NOT NULL, 
	through TEXT NOT NULL, 
	beside_case BOOLEAN NOT NULL, 
	asked_by TEXT NOT NULL, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	due TIMESTAMP WITH TIME ZONE NOT NULL, 
	state TEXT NOT NULL, 
	concerned TEXT[] NOT NULL, 
	person TEXT, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_manager_changes PRIMARY KEY (request_id), 
	CONSTRAINT ck_manager_changes_state CHECK (state IN ('waiting', 'granted', 'refused', 'withdrawn'))
);
CREATE INDEX ix_manager_changes_branch_id_due ON manager_changes (branch_id, due);
CREATE INDEX ix_manager_changes_client_id_asked_at ON manager_changes (client_id, asked_at);
CREATE UNIQUE INDEX uq_manager_changes_waiting ON manager_changes (client_id) WHERE state = 'waiting';
COMMENT ON COLUMN manager_changes.wished IS 'whom the client would like';
COMMENT ON COLUMN manager_changes.through IS 'client, counter';
COMMENT ON COLUMN manager_changes.beside_case IS 'a case of theirs was open: decided at once, counted in no quarter';
COMMENT ON COLUMN manager_changes.due IS 'until when it is to be decided';
COMMENT ON COLUMN manager_changes.concerned IS 'the owner they want to leave';
COMMENT ON COLUMN manager_changes.person IS 'whom they got';
CREATE TABLE subscriptions (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	code TEXT NOT NULL, 
	until DATE, 
	state TEXT NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (client_id, since, code)
);
COMMENT ON COLUMN subscriptions.until IS 'exclusive; empty: until further notice';
CREATE TABLE subscriptions_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	told JSONB NOT NULL, 
	CONSTRAINT pk_subscriptions_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE subscriptions_changes IS 'what subscriptions is the fold of';
