ALTER TABLE notices ADD COLUMN round INTEGER DEFAULT '1' NOT NULL;
COMMENT ON COLUMN notices.round IS 'each promise of the clock starts one';
DROP INDEX uq_notices_once;
CREATE UNIQUE INDEX uq_notices_once ON notices (case_id, generation, clock, step, round, "to", seat);
