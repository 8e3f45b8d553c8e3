ALTER TABLE clients ADD COLUMN stamps JSONB NOT NULL DEFAULT '{}';
COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
UPDATE clients SET stamps = jsonb_build_object('branch_id', jsonb_build_array(
    to_char(told_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
    || CASE WHEN extract(microseconds FROM told_at)::int % 1000000 = 0 THEN '' ELSE to_char(told_at AT TIME ZONE 'UTC', '.US') END
    || '+00:00', told_by, (told_at AT TIME ZONE 'Asia/Shanghai')::date));
ALTER TABLE clients ALTER COLUMN branch_id DROP NOT NULL;
ALTER TABLE clients DROP COLUMN told_at;
ALTER TABLE clients DROP COLUMN told_by;
