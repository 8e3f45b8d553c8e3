CREATE TABLE wecom_contacts (
	client_id TEXT NOT NULL,
	external_id BYTEA,
	token TEXT NOT NULL,
	member TEXT NOT NULL,
	since TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_wecom_contacts PRIMARY KEY (client_id)
);
COMMENT ON COLUMN wecom_contacts.external_id IS 'encrypted';
COMMENT ON COLUMN wecom_contacts.member IS 'the userid of the member of staff';
CREATE INDEX ix_messages_awaiting_member ON messages (handed_at) WHERE state = 'handed' AND reason = 'awaiting_member';
