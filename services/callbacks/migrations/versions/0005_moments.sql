ALTER TABLE moments ADD COLUMN due_at TIMESTAMP WITH TIME ZONE;

UPDATE moments SET due_at = (due_on + 1)::timestamp AT TIME ZONE 'Asia/Shanghai';

ALTER TABLE moments ALTER COLUMN due_at SET NOT NULL;

ALTER TABLE moments ADD COLUMN cause JSONB DEFAULT '{}' NOT NULL;

ALTER TABLE alarms ADD COLUMN step TEXT DEFAULT '' NOT NULL;

ALTER TABLE alarms ADD COLUMN told_to TEXT[] DEFAULT '{}' NOT NULL;

COMMENT ON COLUMN alarms.step IS 'of the ladder [A21]';

CREATE INDEX ix_birth_date ON clients (birth_date) WHERE birth_date IS NOT NULL;
