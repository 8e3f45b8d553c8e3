ALTER TABLE reviews ADD COLUMN late_rise_at timestamptz;
UPDATE reviews SET late_rise_at = opened_at WHERE reasons ? 'late_rise';
COMMENT ON COLUMN reviews.late_rise_at IS 'from when on the level did not count for what came late, while looked at';
ALTER TABLE library_states ADD COLUMN told_at timestamptz;
COMMENT ON COLUMN library_states.told_at IS 'when the library told it; empty: before that was kept';
