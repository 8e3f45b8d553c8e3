CREATE TABLE webhook_tokens (
	token TEXT NOT NULL,
	digest TEXT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_webhook_tokens PRIMARY KEY (token)
);
COMMENT ON COLUMN webhook_tokens.digest IS 'of what was brought';
COMMENT ON COLUMN alerts.failed IS 'the addresses that did not take it, by kind and a digest';
CREATE INDEX ix_messages_receipt_asked_for ON messages (way, due_at, message_id) WHERE state = 'handed' AND batch_id IS NULL AND merged_into IS NULL;
CREATE INDEX ix_messages_tried_again ON messages (way) WHERE state = 'queued' AND tries > 1;
