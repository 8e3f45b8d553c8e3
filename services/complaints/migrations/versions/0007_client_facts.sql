ALTER TABLE clients ADD COLUMN stamps JSONB NOT NULL DEFAULT '{}';
ALTER TABLE clients ADD COLUMN earlier JSONB NOT NULL DEFAULT '{}';
COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
COMMENT ON COLUMN clients.earlier IS 'words of dated fields not in force';
UPDATE clients c SET stamps = jsonb_strip_nulls(jsonb_build_object(
    'branch_id', CASE WHEN branch_id IS NOT NULL THEN s.stamp END, 'manager_id', CASE WHEN manager_id IS NOT NULL THEN s.stamp END))
FROM (SELECT client_id, jsonb_build_array(
    to_char(stamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
    || CASE WHEN extract(microseconds FROM stamp)::int % 1000000 = 0 THEN '' ELSE to_char(stamp AT TIME ZONE 'UTC', '.US') END
    || '+00:00', event_id, (stamp AT TIME ZONE 'Asia/Shanghai')::date) AS stamp FROM clients) s WHERE s.client_id = c.client_id;
ALTER TABLE clients DROP COLUMN stamp;
ALTER TABLE clients DROP COLUMN event_id;
CREATE TABLE client_intervals (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE NOT NULL,
    branch_id TEXT,
    CONSTRAINT pk_client_intervals PRIMARY KEY (client_id, since)
);
COMMENT ON TABLE client_intervals IS 'of clients whose dated fields have changed; of all others `clients` speaks for every day';
COMMENT ON COLUMN client_intervals.since IS '-infinity for the first';
COMMENT ON COLUMN client_intervals.until IS 'exclusive; infinity for the last';
CREATE TABLE tiers (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE,
    tier TEXT NOT NULL,
    CONSTRAINT pk_tiers PRIMARY KEY (client_id, since)
);
COMMENT ON COLUMN tiers.until IS 'exclusive; empty: until the next one';
CREATE TABLE cores (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    core BOOLEAN NOT NULL,
    CONSTRAINT pk_cores PRIMARY KEY (client_id, since)
);
CREATE TABLE tiers_changes (
    client_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed_from DATE NOT NULL,
    told JSONB NOT NULL,
    CONSTRAINT pk_tiers_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE tiers_changes IS 'what tiers is the fold of';
CREATE TABLE cores_changes (
    client_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed_from DATE NOT NULL,
    told JSONB NOT NULL,
    CONSTRAINT pk_cores_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE cores_changes IS 'what cores is the fold of';
INSERT INTO tiers SELECT client_id, (s->>'since')::date, (s->>'until')::date, s->>'tier'
    FROM standings CROSS JOIN LATERAL jsonb_array_elements(stretches) s WHERE what = 'tier';
INSERT INTO cores SELECT client_id, (s->>'since')::date, (s->>'core')::bool
    FROM standings CROSS JOIN LATERAL jsonb_array_elements(stretches) s WHERE what = 'core';
INSERT INTO tiers_changes SELECT k.client_id, k.revision, '-infinity', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(since, until, tier) ORDER BY since), '[]') FROM tiers t
        WHERE t.client_id = k.client_id) FROM standings k WHERE what = 'tier';
INSERT INTO cores_changes SELECT k.client_id, k.revision, '-infinity', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(since, core) ORDER BY since), '[]') FROM cores t
        WHERE t.client_id = k.client_id) FROM standings k WHERE what = 'core';
DROP TABLE standings;
