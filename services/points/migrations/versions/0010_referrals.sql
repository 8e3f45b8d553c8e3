ALTER TABLE clients ADD COLUMN referrer_client_id TEXT;
ALTER TABLE clients ADD COLUMN phone TEXT;
ALTER TABLE clients ADD COLUMN id_number TEXT;
ALTER TABLE clients ADD COLUMN address TEXT;
ALTER TABLE clients ADD COLUMN earlier JSONB DEFAULT '{}' NOT NULL;
CREATE INDEX ix_clients_referrer_client_id ON clients (referrer_client_id) WHERE referrer_client_id IS NOT NULL;
COMMENT ON COLUMN clients.phone IS 'encrypted';
COMMENT ON COLUMN clients.id_number IS 'encrypted';
COMMENT ON COLUMN clients.address IS 'encrypted';
COMMENT ON COLUMN clients.earlier IS 'words of dated fields not in force';

CREATE TABLE client_intervals (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE NOT NULL,
    phone TEXT,
    id_number TEXT,
    address TEXT,
    CONSTRAINT pk_client_intervals PRIMARY KEY (client_id, since)
);
COMMENT ON TABLE client_intervals IS 'of clients whose dated fields have changed; of all others `clients` speaks for every day';
COMMENT ON COLUMN client_intervals.since IS '-infinity for the first';
COMMENT ON COLUMN client_intervals.until IS 'exclusive; infinity for the last';

CREATE INDEX ix_bonuses_referral ON bonuses (item) WHERE item LIKE 'referral/%';
