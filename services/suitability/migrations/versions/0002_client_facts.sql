COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
COMMENT ON COLUMN clients.birth_year IS NULL;
