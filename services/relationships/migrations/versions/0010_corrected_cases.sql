ALTER TABLE open_items ADD COLUMN correction integer NOT NULL DEFAULT '0';
COMMENT ON COLUMN open_items.correction IS 'the highest correction of its client; 0: none';
