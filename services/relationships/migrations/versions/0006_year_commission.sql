ALTER TABLE months ADD COLUMN year_commission numeric;
COMMENT ON COLUMN months.commission IS 'net, of twelve months [T7]';
COMMENT ON COLUMN months.year_commission IS 'net, of the calendar year until then';
