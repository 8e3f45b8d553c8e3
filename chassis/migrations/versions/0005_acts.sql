CREATE TABLE act_steps (
    object TEXT NOT NULL,
    number INTEGER NOT NULL,
    act TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    late BOOLEAN NOT NULL,
    person TEXT NOT NULL,
    role TEXT NOT NULL,
    tells TEXT[] NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT pk_act_steps PRIMARY KEY (object, number)
);

COMMENT ON COLUMN act_steps.at IS 'when it happened';

COMMENT ON COLUMN act_steps.late IS 'entered after it happened';

COMMENT ON COLUMN act_steps.tells IS 'the audiences that read it';

ALTER TABLE approvals ADD COLUMN restricted BOOLEAN NOT NULL DEFAULT false;

COMMENT ON COLUMN approvals.restricted IS 'compliance alone sees and decides it';
