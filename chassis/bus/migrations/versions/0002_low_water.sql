CREATE TABLE low_water (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next BIGINT DEFAULT '0' NOT NULL,
    since TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_low_water PRIMARY KEY (topic, partition)
);

COMMENT ON COLUMN low_water.next IS 'records before this offset may be gone';

COMMENT ON COLUMN low_water.since IS 'nothing from here on was written before; none: nothing was ever dropped';

INSERT INTO low_water (topic, partition, next, since)
SELECT topic, partition, coalesce(l.first, h.next), CASE WHEN coalesce(l.first, h.next) > 0 THEN coalesce(l.at, now()) END
FROM heads h LEFT JOIN (
    SELECT topic, partition, min("offset") AS first, min(written_at) AS at FROM log GROUP BY topic, partition
) l USING (topic, partition);

CREATE TABLE past_days (
    day DATE NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    last BIGINT NOT NULL,
    CONSTRAINT pk_past_days PRIMARY KEY (day, topic, partition)
);

COMMENT ON TABLE past_days IS 'of days that are over: where a reader''s next record can lie, without looking into every part';

COMMENT ON COLUMN past_days.last IS 'the last offset written on that day';

CREATE INDEX ix_past_days_last ON past_days (topic, partition, last);

ALTER TABLE log ALTER COLUMN written_at SET DEFAULT statement_timestamp();

CREATE FUNCTION refuse_past_day() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the day of % is over: has the clock of this database gone back?', TG_TABLE_NAME USING ERRCODE = '55000'; END $$;
