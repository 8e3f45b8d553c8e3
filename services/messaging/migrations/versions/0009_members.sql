ALTER TABLE messages ADD COLUMN member TEXT;
COMMENT ON COLUMN messages.member IS 'who was asked to confirm it in WeCom [MS15]';
UPDATE messages m SET member = w.member FROM wecom_contacts w
WHERE w.client_id = m.client_id AND m.way = 'wecom' AND m.state = 'handed';
DROP INDEX ix_messages_awaiting_member;
CREATE INDEX ix_messages_awaiting_member ON messages (due_at) WHERE state = 'handed' AND reason = 'awaiting_member';
ALTER TABLE messages ADD COLUMN withdrawn BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN messages.withdrawn IS 'not wanted any more: it is not tried again';
ALTER TABLE preferences ALTER COLUMN language DROP NOT NULL;
COMMENT ON COLUMN preferences.language IS 'empty: not chosen yet';
