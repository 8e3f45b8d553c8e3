CREATE TABLE approvals (
    approval_id UUID NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    client_id TEXT,
    branch_id TEXT,
    body JSONB NOT NULL,
    why TEXT NOT NULL,
    before JSONB,
    after JSONB,
    concerned TEXT[] NOT NULL,
    state TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by TEXT,
    decided_at TIMESTAMP WITH TIME ZONE,
    because TEXT,
    CONSTRAINT pk_approvals PRIMARY KEY (approval_id)
);

CREATE INDEX ix_approvals_waiting ON approvals (approval_id) WHERE state = 'waiting';

CREATE INDEX ix_approvals_object ON approvals (object);

CREATE INDEX ix_approvals_asked_by ON approvals (asked_by);

COMMENT ON COLUMN approvals.branch_id IS 'whose branch may decide; none: headquarters';

COMMENT ON COLUMN approvals.concerned IS 'persons who neither see nor decide it';

COMMENT ON COLUMN approvals.state IS 'waiting, approved, refused, withdrawn, expired';

COMMENT ON COLUMN approvals.asked_by IS 'a person, as are all names here';
