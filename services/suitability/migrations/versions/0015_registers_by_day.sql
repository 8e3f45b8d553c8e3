ALTER TABLE clients ADD COLUMN earlier jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN clients.earlier IS 'words of dated fields not in force';
CREATE TABLE client_intervals (
    client_id text NOT NULL,
    since date NOT NULL,
    until date NOT NULL,
    branch_id text,
    CONSTRAINT pk_client_intervals PRIMARY KEY (client_id, since)
);
COMMENT ON TABLE client_intervals IS 'of clients whose dated fields have changed; of all others `clients` speaks for every day';
COMMENT ON COLUMN client_intervals.since IS '-infinity for the first';
COMMENT ON COLUMN client_intervals.until IS 'exclusive; infinity for the last';
ALTER TABLE cancellations DROP CONSTRAINT pk_cancellations;
ALTER TABLE cancellations ADD CONSTRAINT pk_cancellations PRIMARY KEY (client_id, trade_id, cancelled_on);
COMMENT ON COLUMN due.product IS 'whose holders are matched again; with a client that holding alone; with neither the day''s registers alone';
