ALTER TABLE clock_steps ADD COLUMN round SMALLINT DEFAULT '1' NOT NULL;
COMMENT ON COLUMN clock_steps.round IS 'each promise of the clock starts one';
UPDATE clock_steps s SET round = 1 + (SELECT count(*) FROM clock_entries e
                                      WHERE e.object = s.object AND e.clock = s.clock AND e.kind = 'promise' AND e.recorded <= s.fired_at);
