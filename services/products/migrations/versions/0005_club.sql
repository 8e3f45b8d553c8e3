CREATE TABLE classes (
	client_id TEXT NOT NULL, 
	effective_on DATE NOT NULL, 
	revision INTEGER NOT NULL, 
	code TEXT NOT NULL, 
	CONSTRAINT pk_classes PRIMARY KEY (client_id, effective_on)
);
CREATE TABLE club_histories (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	stretches JSONB NOT NULL, 
	CONSTRAINT pk_club_histories PRIMARY KEY (client_id)
);
CREATE TABLE club_histories_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	stretches JSONB NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_club_histories_changes PRIMARY KEY (client_id, revision)
);
CREATE TABLE club_memberships (
	membership_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	state TEXT NOT NULL, 
	basis TEXT NOT NULL, 
	social_role TEXT, 
	invited_on DATE NOT NULL, 
	since DATE NOT NULL, 
	until DATE, 
	ended_by TEXT, 
	made_by TEXT NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_club_memberships PRIMARY KEY (membership_id)
);
CREATE INDEX ix_club_memberships_client_id ON club_memberships (client_id);
CREATE INDEX ix_club_memberships_until ON club_memberships (until) WHERE state <> 'lapsed';
CREATE UNIQUE INDEX uq_club_memberships_open ON club_memberships (client_id) WHERE state <> 'lapsed';
COMMENT ON COLUMN club_memberships.basis IS 'eligible, or prospect: invited by two persons';
COMMENT ON COLUMN club_memberships.since IS 'of this state';
COMMENT ON COLUMN club_memberships.until IS 'exclusive; of an invitation, a grace, a prospect';
CREATE TABLE club_states (
	membership_id UUID NOT NULL, 
	revision INTEGER NOT NULL, 
	client_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	since DATE NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_club_states PRIMARY KEY (membership_id, revision)
);
CREATE INDEX ix_club_states_client_id ON club_states (client_id);
CREATE TABLE months (
	client_id TEXT NOT NULL, 
	month_end DATE NOT NULL, 
	revision INTEGER NOT NULL, 
	mean_assets NUMERIC, 
	commission NUMERIC, 
	worth NUMERIC, 
	CONSTRAINT pk_months PRIMARY KEY (client_id, month_end)
);
COMMENT ON COLUMN months.commission IS 'of the twelve months until then';
COMMENT ON COLUMN months.worth IS 'V';
