ALTER TABLE clients ADD COLUMN stamps JSONB NOT NULL DEFAULT '{}';
ALTER TABLE clients ADD COLUMN earlier JSONB NOT NULL DEFAULT '{}';
COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
COMMENT ON COLUMN clients.earlier IS 'words of dated fields not in force';
UPDATE clients c SET stamps = jsonb_strip_nulls(jsonb_build_object('branch_id', s.stamp, 'kind', s.stamp,
    'manager_id', CASE WHEN c.manager_id IS NOT NULL THEN s.stamp END))
FROM (SELECT client_id, jsonb_build_array(
          to_char(profile_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
          || CASE WHEN extract(microseconds FROM profile_time)::int % 1000000 = 0 THEN ''
                  ELSE to_char(profile_time AT TIME ZONE 'UTC', '.US') END || '+00:00',
          profile_event, least(opened_on, (profile_time AT TIME ZONE 'Asia/Shanghai')::date)) AS stamp
      FROM clients) s WHERE s.client_id = c.client_id;
ALTER TABLE clients ALTER COLUMN branch_id DROP NOT NULL;
ALTER TABLE clients ALTER COLUMN kind DROP NOT NULL;
ALTER TABLE clients ALTER COLUMN kind DROP DEFAULT;
ALTER TABLE clients ALTER COLUMN opened_on DROP NOT NULL;
COMMENT ON COLUMN clients.opened_on IS 'empty: only heard of so far';
COMMENT ON COLUMN clients.closed_on IS 'the earliest word';
COMMENT ON COLUMN clients.closing_requested_on IS 'the earliest word';
ALTER TABLE clients DROP COLUMN profile_time;
ALTER TABLE clients DROP COLUMN profile_event;
CREATE TABLE client_intervals (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE NOT NULL,
    branch_id TEXT,
    manager_id TEXT,
    kind TEXT,
    CONSTRAINT pk_client_intervals PRIMARY KEY (client_id, since)
);
COMMENT ON TABLE client_intervals IS 'of clients whose dated fields have changed; of all others `clients` speaks for every day';
COMMENT ON COLUMN client_intervals.since IS '-infinity for the first';
COMMENT ON COLUMN client_intervals.until IS 'exclusive; infinity for the last';
