CREATE TABLE feedback (
    feedback_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    score INTEGER NOT NULL,
    words TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_feedback PRIMARY KEY (feedback_id),
    CONSTRAINT ck_feedback_score CHECK (score BETWEEN 1 AND 5)
);
COMMENT ON COLUMN feedback.score IS '1, bad, to 5, good';
CREATE INDEX ix_feedback_client_id ON feedback (client_id);
