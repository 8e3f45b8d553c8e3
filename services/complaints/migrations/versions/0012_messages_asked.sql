CREATE TABLE messages_asked (
	request_id UUID NOT NULL,
	case_id UUID NOT NULL,
	channel TEXT NOT NULL,
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_messages_asked PRIMARY KEY (request_id)
);
COMMENT ON TABLE messages_asked IS 'messages to complainants asked for, and what became of them [C25]';
COMMENT ON COLUMN messages_asked.asked_at IS 'when the state changed';
COMMENT ON COLUMN messages_asked.state IS 'asked, then as messaging says';
CREATE INDEX ix_messages_asked_case_id ON messages_asked (case_id);
