CREATE TABLE drills (
    drill_id UUID NOT NULL,
    branch_id TEXT NOT NULL,
    held_on DATE NOT NULL,
    scenario TEXT NOT NULL,
    participants JSONB NOT NULL,
    evidence_id TEXT NOT NULL,
    lessons TEXT NOT NULL,
    recorded_by TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    policy TEXT NOT NULL,
    CONSTRAINT pk_drills PRIMARY KEY (drill_id)
);

COMMENT ON COLUMN drills.scenario IS 'the reason to leave that was rehearsed [A20]';

COMMENT ON COLUMN drills.participants IS 'the role each person played';

CREATE INDEX ix_drills_branch_id_held_on ON drills (branch_id, held_on);
