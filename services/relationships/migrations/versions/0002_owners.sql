ALTER TABLE clients ADD COLUMN assignment_revision INTEGER DEFAULT '0' NOT NULL;
COMMENT ON COLUMN clients.assignment_revision IS 'told so far';
CREATE TABLE assignment_changes (
	partition INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	client_id TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	changed_from DATE NOT NULL, 
	stretches JSONB NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_assignment_changes PRIMARY KEY (partition, number)
);
CREATE INDEX ix_assignment_changes_client_id ON assignment_changes (client_id);
COMMENT ON TABLE assignment_changes IS 'what was told of owners and teams, one row a change';
COMMENT ON COLUMN assignment_changes.stretches IS 'as told';
CREATE TABLE assignment_facts (
	client_id TEXT NOT NULL, 
	fact_id TEXT NOT NULL, 
	role TEXT NOT NULL, 
	person TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	said_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	begins BOOLEAN NOT NULL, 
	reason TEXT NOT NULL, 
	run TEXT, 
	said_by TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_assignment_facts PRIMARY KEY (client_id, fact_id)
);
CREATE INDEX ix_assignment_facts_person ON assignment_facts (person);
COMMENT ON COLUMN assignment_facts.role IS 'primary, secondary, adviser';
COMMENT ON COLUMN assignment_facts.begins IS 'false: taken out of the role';
COMMENT ON COLUMN assignment_facts.reason IS 'account_system: the broker''s word';
COMMENT ON COLUMN assignment_facts.run IS 'the allocation it comes from';
CREATE TABLE owners (
	client_id TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	until TIMESTAMP WITH TIME ZONE, 
	role TEXT NOT NULL, 
	person TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	run TEXT, 
	CONSTRAINT pk_owners PRIMARY KEY (client_id, since), 
	CONSTRAINT ck_owners_order CHECK (until > since), 
	CONSTRAINT ck_owners_role CHECK (role IN ('primary', 'pool_lead')), 
	CONSTRAINT uq_owners_one_chain UNIQUE NULLS NOT DISTINCT (client_id, until), 
	CONSTRAINT fk_owners_no_gap FOREIGN KEY(client_id, until) REFERENCES owners (client_id, since) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_owners_person_client_id ON owners (person, client_id);
COMMENT ON COLUMN owners.until IS 'exclusive; empty: until further notice';
COMMENT ON COLUMN owners.role IS 'primary, pool_lead';
CREATE TABLE team_members (
	client_id TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	until TIMESTAMP WITH TIME ZONE, 
	role TEXT NOT NULL, 
	person TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	run TEXT, 
	CONSTRAINT pk_team_members PRIMARY KEY (client_id, since, role, person)
);
CREATE INDEX ix_team_members_person_client_id ON team_members (person, client_id);
INSERT INTO owners (client_id, since, role, person, reason)
    SELECT client_id, opened_on::timestamp AT TIME ZONE 'Asia/Shanghai', 'pool_lead', 'HQ', 'no_manager'
    FROM clients WHERE opened_on IS NOT NULL;
