CREATE TABLE adjustments (
    client_id TEXT NOT NULL,
    item TEXT NOT NULL,
    branch_id TEXT,
    reason TEXT NOT NULL,
    asked BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_on DATE,
    attachment TEXT NOT NULL,
    made_by TEXT NOT NULL,
    checked_by TEXT NOT NULL,
    CONSTRAINT pk_adjustments PRIMARY KEY (client_id, item),
    CONSTRAINT ck_adjustments_points CHECK (taken <> 0)
);
COMMENT ON COLUMN adjustments.item IS 'adjustment/ID';
COMMENT ON COLUMN adjustments.asked IS 'hundredths, below zero: to be taken out';
COMMENT ON COLUMN adjustments.taken IS 'what was posted: a negative one stops at available';
COMMENT ON COLUMN adjustments.expires_on IS 'of the lot that a positive one makes';
COMMENT ON COLUMN adjustments.attachment IS 'the document it rests on';
