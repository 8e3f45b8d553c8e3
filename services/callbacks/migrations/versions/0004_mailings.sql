CREATE TABLE subscriptions (
    client_id TEXT NOT NULL,
    column_code TEXT NOT NULL,
    channel TEXT NOT NULL,
    since DATE NOT NULL,
    recorded_by TEXT NOT NULL,
    CONSTRAINT pk_subscriptions PRIMARY KEY (client_id, column_code)
);

COMMENT ON COLUMN subscriptions.column_code IS 'a column (栏目) of the mailings policy';

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

COMMENT ON COLUMN feedback.kind IS 'click, subscribed, unsubscribed';

CREATE INDEX ix_feedback_client_id_at ON feedback (client_id, at);

CREATE INDEX ix_feedback_on_day ON feedback (on_day);

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

COMMENT ON COLUMN mailings.branch_id IS 'of one branch''s clients; of everybody''s when empty';

COMMENT ON COLUMN mailings.product_level IS 'the risk level of the product it is about';

COMMENT ON COLUMN mailings.words IS 'title and text by language';

COMMENT ON COLUMN mailings.state IS 'draft, released, withdrawn';

COMMENT ON COLUMN mailings.planned IS 'how many messages';

COMMENT ON COLUMN mailings.left_out IS 'how many clients, by reason';

CREATE INDEX ix_mailings_ordered_at ON mailings (ordered_at);
