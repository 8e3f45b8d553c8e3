CREATE TABLE amendments (
    client_id TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    commission NUMERIC NOT NULL,
    trade_date DATE NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_amendments PRIMARY KEY (client_id, trade_id)
);

COMMENT ON COLUMN amendments.commission IS 'content of the trade as accepted by an operator';

CREATE TABLE balances (
    client_id TEXT NOT NULL,
    available BIGINT DEFAULT '0' NOT NULL,
    debt BIGINT DEFAULT '0' NOT NULL,
    parked INTEGER DEFAULT '0' NOT NULL,
    ranked BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_balances PRIMARY KEY (client_id),
    CONSTRAINT ck_balances_points CHECK (available >= 0 AND debt >= 0 AND (available = 0 OR debt = 0))
)
 WITH (fillfactor = 70);

COMMENT ON COLUMN balances.debt IS '[P7]';

COMMENT ON COLUMN balances.parked IS 'cancellations that wait for their trade';

COMMENT ON COLUMN balances.ranked IS 'revision of `tiers`; 0: always NORMAL';

CREATE TABLE cancellations (
    client_id TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    remaining NUMERIC NOT NULL,
    cancelled_on DATE NOT NULL,
    cause TEXT NOT NULL,
    CONSTRAINT pk_cancellations PRIMARY KEY (client_id, trade_id)
);

COMMENT ON COLUMN cancellations.remaining IS 'the lowest remaining commission told [P1]';

COMMENT ON COLUMN cancellations.cancelled_on IS 'business date of the event';

CREATE TABLE clients (
    client_id TEXT NOT NULL,
    branch_id TEXT NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE NOT NULL,
    told_by TEXT NOT NULL,
    CONSTRAINT pk_clients PRIMARY KEY (client_id)
);

COMMENT ON COLUMN clients.told_at IS 'the newest (told_at, told_by) is in force';

CREATE TABLE entries (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    entry_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    trade_id TEXT,
    step SMALLINT NOT NULL,
    debit_account TEXT NOT NULL,
    credit_account TEXT NOT NULL,
    points BIGINT NOT NULL,
    expires_on DATE,
    commission TEXT,
    tier TEXT,
    multiplier SMALLINT,
    trade_date DATE,
    policy TEXT,
    posted_on DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT transaction_timestamp() NOT NULL,
    cause TEXT NOT NULL,
    original UUID,
    CONSTRAINT pk_entries PRIMARY KEY (partition, number),
    CONSTRAINT ck_entries_points CHECK (points >= 0)
);

CREATE UNIQUE INDEX uq_entries_natural ON entries (client_id, trade_id, step);

COMMENT ON COLUMN entries.number IS 'gapless in its partition, in the order of recording';

COMMENT ON COLUMN entries.entry_id IS 'UUIDv5 of client, trade and step';

COMMENT ON COLUMN entries.kind IS 'contracts.points.EntryKind';

COMMENT ON COLUMN entries.step IS '0 is the trade''s first entry';

COMMENT ON COLUMN entries.debit_account IS 'where the points come from [P8]';

COMMENT ON COLUMN entries.credit_account IS 'where they go [P8]';

COMMENT ON COLUMN entries.expires_on IS 'of the lot this row is [P6]';

COMMENT ON COLUMN entries.commission IS 'what the target was computed from: what remained, once cancelled';

COMMENT ON COLUMN entries.tier IS 'of the trade date, as known when recorded';

COMMENT ON COLUMN entries.multiplier IS 'hundredths: 110 is 1.1';

COMMENT ON COLUMN entries.posted_on IS 'business date of the cause, never before the trade date';

COMMENT ON COLUMN entries.cause IS 'id of the event that caused it';

COMMENT ON COLUMN entries.original IS 'the entry this one reverses or corrects';

CREATE TABLE lot_remainders (
    client_id TEXT NOT NULL,
    entry_id UUID NOT NULL,
    remaining BIGINT NOT NULL,
    CONSTRAINT pk_lot_remainders PRIMARY KEY (client_id, entry_id),
    CONSTRAINT ck_lot_remainders_remaining CHECK (remaining >= 0)
);

COMMENT ON COLUMN lot_remainders.remaining IS 'only where it differs from the entry''s points';

CREATE TABLE tier_changes (
    client_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    change JSONB NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tier_changes PRIMARY KEY (client_id, revision)
);

COMMENT ON COLUMN tier_changes.change IS 'classification.tier.changed as it came';

CREATE TABLE tiers (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE,
    tier TEXT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT pk_tiers PRIMARY KEY (client_id, since)
);

COMMENT ON COLUMN tiers.until IS 'exclusive; empty: until further notice';

COMMENT ON COLUMN tiers.tier IS 'above NORMAL: what is not here is NORMAL';
