ALTER TABLE alarms ADD COLUMN group_case_id UUID;
ALTER TABLE alarms ADD COLUMN recurs_after UUID;
ALTER TABLE alarms ADD COLUMN overdue_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE alarms ADD COLUMN done_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE alarms ADD COLUMN done_by TEXT;
COMMENT ON COLUMN alarms.group_case_id IS 'its members are linked to it and stay cases of their own [C17]';
COMMENT ON COLUMN alarms.recurs_after IS 'the alarm before it about the same, whose action did not hold';
COMMENT ON COLUMN alarms.overdue_at IS 'the corrective action was not done by its date';

ALTER TABLE accountability ADD COLUMN overdue_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE accountability ADD COLUMN carried_out_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE accountability ADD COLUMN carried_out_by TEXT;
COMMENT ON COLUMN accountability.overdue_at IS 'the plan was not carried out by its date';

ALTER TABLE cases ADD COLUMN to_tell_since TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN cases.to_tell_since IS 'since when the complainant is to be told of the present state [C25]';
CREATE INDEX ix_cases_to_tell ON cases (owner, to_tell_since) WHERE to_tell_since IS NOT NULL;

ALTER TABLE packs ADD COLUMN to_sign TEXT[] DEFAULT '{}' NOT NULL;
ALTER TABLE packs ADD COLUMN reminded_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE packs ADD COLUMN missed_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN packs.missed_at IS 'not signed off by its day [C15]';
COMMENT ON COLUMN packs.to_sign IS 'who was asked to sign it off';

ALTER TABLE pre_complaints ADD COLUMN tier TEXT;
COMMENT ON COLUMN pre_complaints.tier IS 'as it was known when the grumble was heard';

CREATE TABLE standings (
    client_id TEXT NOT NULL,
    what TEXT NOT NULL,
    revision BIGINT NOT NULL,
    stretches JSONB NOT NULL,
    CONSTRAINT pk_standings PRIMARY KEY (client_id, what)
);

COMMENT ON TABLE standings IS 'tier and core of clients as classification tells them [C18, C20, A33]';

COMMENT ON COLUMN standings.what IS 'tier, core';
