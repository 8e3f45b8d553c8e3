CREATE TABLE clients (
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	manager_id TEXT, 
	opened_on DATE, 
	name BYTEA, 
	phone BYTEA, 
	email BYTEA, 
	closed_on DATE, 
	phone_token TEXT, 
	email_token TEXT, 
	stamps JSONB DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_clients PRIMARY KEY (client_id)
);
CREATE INDEX ix_clients_email_token ON clients (email_token);
CREATE INDEX ix_clients_phone_token ON clients (phone_token);
COMMENT ON COLUMN clients.name IS 'encrypted';
COMMENT ON COLUMN clients.phone IS 'encrypted';
COMMENT ON COLUMN clients.email IS 'encrypted';
COMMENT ON COLUMN clients.phone_token IS 'keyed token of the number: who shares it, who replies from it';
COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
CREATE TABLE consent_revisions (
	client_id TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_consent_revisions PRIMARY KEY (client_id)
);
CREATE TABLE consents (
	consent_id UUID NOT NULL, 
	client_id TEXT, 
	number TEXT, 
	message_class TEXT NOT NULL, 
	channel TEXT, 
	allowed BOOLEAN NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	recorded_by TEXT NOT NULL, 
	how TEXT NOT NULL, 
	wording TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	CONSTRAINT pk_consents PRIMARY KEY (consent_id)
);
CREATE INDEX ix_consents_client_id_since ON consents (client_id, since);
CREATE INDEX ix_consents_number_since ON consents (number, since);
COMMENT ON COLUMN consents.number IS 'an opt-out by reply: the number''s token, whoever''s it is';
COMMENT ON COLUMN consents.channel IS 'empty: every channel';
COMMENT ON COLUMN consents.how IS 'self, staff, reply';
COMMENT ON COLUMN consents.wording IS 'the version of the words agreed to';
CREATE TABLE failed_addresses (
	channel TEXT NOT NULL, 
	token TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	since TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_failed_addresses PRIMARY KEY (channel, token)
);
CREATE TABLE messages (
	message_id UUID NOT NULL, 
	client_id TEXT, 
	staff_id TEXT, 
	branch_id TEXT, 
	kind TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	message_class TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	request_id UUID, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	asked_on DATE NOT NULL, 
	fields BYTEA, 
	required BOOLEAN NOT NULL, 
	shock BOOLEAN NOT NULL, 
	not_before TIMESTAMP WITH TIME ZONE, 
	not_after TIMESTAMP WITH TIME ZONE NOT NULL, 
	due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	way TEXT, 
	channel TEXT, 
	language TEXT, 
	template TEXT, 
	parts SMALLINT, 
	body_sha256 TEXT, 
	address BYTEA, 
	address_token TEXT, 
	tries SMALLINT DEFAULT '0' NOT NULL, 
	batch_id UUID, 
	merged_into UUID, 
	handed_at TIMESTAMP WITH TIME ZONE, 
	provider_ref TEXT, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	read_at TIMESTAMP WITH TIME ZONE, 
	CONSTRAINT pk_messages PRIMARY KEY (message_id)
);
CREATE INDEX ix_messages_address_token_handed_at ON messages (address_token, handed_at);
CREATE INDEX ix_messages_asked_on ON messages (asked_on);
CREATE INDEX ix_messages_client_id_asked_at ON messages (client_id, asked_at);
CREATE INDEX ix_messages_due ON messages (way, due_at, message_id) WHERE state IN ('planned', 'queued');
CREATE INDEX ix_messages_in_hand ON messages (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX ix_messages_merged_into ON messages (merged_into);
CREATE INDEX ix_messages_provider_ref ON messages (provider_ref);
CREATE INDEX ix_messages_waiting_for_receipt ON messages (handed_at) WHERE state = 'handed';
COMMENT ON COLUMN messages.message_id IS 'UUIDv5 of kind, recipient and cause';
COMMENT ON COLUMN messages.message_class IS 'of the template; NOTICE where there is none';
COMMENT ON COLUMN messages.fields IS 'encrypted';
COMMENT ON COLUMN messages.due_at IS 'judged again then';
COMMENT ON COLUMN messages.state IS 'contracts.messaging.MessageState';
COMMENT ON COLUMN messages.template IS 'the version of the set of templates the words came from';
COMMENT ON COLUMN messages.address IS 'encrypted';
COMMENT ON COLUMN messages.batch_id IS 'what a sender has in hand with it';
COMMENT ON COLUMN messages.merged_into IS 'went as part of this one [MS11]';
COMMENT ON COLUMN messages.provider_ref IS 'the provider''s own reference';
COMMENT ON COLUMN messages.read_at IS 'in the app';
CREATE TABLE preferences (
	client_id TEXT NOT NULL, 
	language TEXT NOT NULL, 
	refused TEXT[] DEFAULT '{}' NOT NULL, 
	hours_from TIME WITHOUT TIME ZONE, 
	hours_until TIME WITHOUT TIME ZONE, 
	revision INTEGER DEFAULT '1' NOT NULL, 
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_preferences PRIMARY KEY (client_id)
);
