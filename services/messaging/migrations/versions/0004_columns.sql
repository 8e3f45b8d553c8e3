ALTER TABLE messages ADD COLUMN channels TEXT DEFAULT '' NOT NULL;
COMMENT ON COLUMN messages.channels IS 'those it may go by, the best first; none: as its template says';
CREATE INDEX ix_messages_waiting_by_cause ON messages (cause) WHERE state IN ('planned', 'queued');
CREATE TABLE tiers (
	client_id TEXT NOT NULL,
	since DATE NOT NULL,
	rank SMALLINT NOT NULL,
	CONSTRAINT pk_tiers PRIMARY KEY (client_id, since)
);
COMMENT ON COLUMN tiers.rank IS 'counted from the lowest tier, which is 0';
CREATE TABLE tiers_changes (
	client_id TEXT NOT NULL,
	revision BIGINT NOT NULL,
	changed_from DATE NOT NULL,
	told JSONB NOT NULL,
	CONSTRAINT pk_tiers_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE tiers_changes IS 'what tiers is the fold of';
CREATE TABLE groups (
	client_id TEXT NOT NULL,
	tag TEXT NOT NULL,
	since DATE NOT NULL,
	until DATE,
	CONSTRAINT pk_groups PRIMARY KEY (client_id, tag, since)
);
COMMENT ON COLUMN groups.until IS 'exclusive; empty when open';
CREATE TABLE groups_changes (
	client_id TEXT NOT NULL,
	revision BIGINT NOT NULL,
	changed_from DATE NOT NULL,
	told JSONB NOT NULL,
	CONSTRAINT pk_groups_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE groups_changes IS 'what groups is the fold of';
CREATE TABLE levels (
	client_id TEXT NOT NULL,
	assessment_id TEXT NOT NULL,
	level TEXT NOT NULL,
	valid_from DATE NOT NULL,
	valid_until DATE NOT NULL,
	CONSTRAINT pk_levels PRIMARY KEY (client_id, assessment_id)
);
CREATE INDEX ix_levels_client_id_valid_from ON levels (client_id, valid_from);
CREATE TABLE subscriptions (
	client_id TEXT NOT NULL,
	column_code TEXT NOT NULL,
	channel TEXT NOT NULL,
	since DATE NOT NULL,
	recorded_by TEXT NOT NULL,
	CONSTRAINT pk_subscriptions PRIMARY KEY (client_id, column_code)
);
CREATE INDEX ix_subscriptions_column_code ON subscriptions (column_code);
COMMENT ON COLUMN subscriptions.column_code IS 'of the columns policy';
CREATE TABLE feedback (
	feedback_id UUID NOT NULL,
	client_id TEXT NOT NULL,
	branch_id TEXT,
	column_code TEXT NOT NULL,
	kind TEXT NOT NULL,
	at TIMESTAMP WITH TIME ZONE NOT NULL,
	on_day DATE NOT NULL,
	message_id UUID,
	recorded_by TEXT NOT NULL,
	CONSTRAINT pk_feedback PRIMARY KEY (feedback_id)
);
CREATE INDEX ix_feedback_client_id_at ON feedback (client_id, at);
CREATE INDEX ix_feedback_on_day ON feedback (on_day);
COMMENT ON COLUMN feedback.kind IS 'click, subscribed, unsubscribed';
CREATE TABLE mailings (
	mailing_id UUID NOT NULL,
	column_code TEXT NOT NULL,
	branch_id TEXT,
	product_level TEXT,
	words JSONB NOT NULL,
	send_from TIMESTAMP WITH TIME ZONE NOT NULL,
	send_until TIMESTAMP WITH TIME ZONE NOT NULL,
	state TEXT NOT NULL,
	ordered_by TEXT NOT NULL,
	ordered_at TIMESTAMP WITH TIME ZONE NOT NULL,
	released_by TEXT,
	released_at TIMESTAMP WITH TIME ZONE,
	planned INTEGER,
	left_out JSONB,
	policy TEXT NOT NULL,
	CONSTRAINT pk_mailings PRIMARY KEY (mailing_id)
);
CREATE INDEX ix_mailings_ordered_at ON mailings (ordered_at);
COMMENT ON COLUMN mailings.branch_id IS 'of one branch''s clients; of everybody''s when empty';
COMMENT ON COLUMN mailings.product_level IS 'the risk level of the product it is about';
COMMENT ON COLUMN mailings.words IS 'title and text by language';
COMMENT ON COLUMN mailings.state IS 'draft, released, withdrawn';
COMMENT ON COLUMN mailings.planned IS 'how many messages';
COMMENT ON COLUMN mailings.left_out IS 'how many clients, by reason';
