CREATE TABLE cancellations (
    client_id TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    remaining_commission NUMERIC NOT NULL,
    CONSTRAINT pk_cancellations PRIMARY KEY (client_id, trade_id)
);

COMMENT ON TABLE cancellations IS 'the lowest word on a trade that has not come yet';

CREATE TABLE class_decisions (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    effective_on DATE NOT NULL,
    code TEXT NOT NULL,
    previous TEXT,
    provisional BOOLEAN NOT NULL,
    mean NUMERIC NOT NULL,
    turnover NUMERIC NOT NULL,
    policy TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_class_decisions PRIMARY KEY (partition, number)
);

CREATE INDEX ix_class_decisions_client_id_effective_on ON class_decisions (client_id, effective_on);

CREATE TABLE clients (
    client_id TEXT NOT NULL,
    partition INTEGER NOT NULL,
    branch_id TEXT NOT NULL,
    manager_id TEXT,
    kind TEXT DEFAULT 'individual' NOT NULL,
    opened_on DATE NOT NULL,
    closed_on DATE,
    closing_requested_on DATE,
    profile_time TIMESTAMP WITH TIME ZONE NOT NULL,
    profile_event TEXT NOT NULL,
    revision INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_clients PRIMARY KEY (client_id)
);

CREATE INDEX ix_clients_branch_id ON clients (branch_id);

CREATE INDEX ix_clients_closed_on ON clients (closed_on);

CREATE INDEX ix_clients_closing_requested_on ON clients (closing_requested_on);

CREATE INDEX ix_clients_opened_on ON clients (opened_on);

COMMENT ON COLUMN clients.profile_time IS 'ce_time of the profile in force';

COMMENT ON COLUMN clients.profile_event IS 'ce_id of the profile in force';

COMMENT ON COLUMN clients.revision IS 'of the tier history';

CREATE TABLE core_decisions (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    effective_on DATE NOT NULL,
    core BOOLEAN NOT NULL,
    reasons TEXT NOT NULL,
    rank INTEGER,
    ranked INTEGER,
    value NUMERIC,
    policy TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_core_decisions PRIMARY KEY (partition, number)
);

CREATE INDEX ix_core_decisions_client_id_effective_on ON core_decisions (client_id, effective_on);

CREATE TABLE early_profiles (
    client_id TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    event TEXT NOT NULL,
    profile JSONB NOT NULL,
    CONSTRAINT pk_early_profiles PRIMARY KEY (client_id, time, event)
);

COMMENT ON TABLE early_profiles IS 'profile changes that came before their client''s opening';

CREATE TABLE endings (
    client_id TEXT NOT NULL,
    closed_on DATE,
    closing_requested_on DATE,
    CONSTRAINT pk_endings PRIMARY KEY (client_id)
);

COMMENT ON TABLE endings IS 'the earliest word on each, whether or not the client is known yet';

CREATE TABLE grants (
    grant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    tier SMALLINT NOT NULL,
    since DATE NOT NULL,
    until DATE NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    checked_by TEXT,
    checked_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_from DATE,
    version INTEGER DEFAULT '1' NOT NULL,
    CONSTRAINT pk_grants PRIMARY KEY (grant_id)
);

CREATE INDEX ix_grants_client_id ON grants (client_id);

COMMENT ON COLUMN grants.state IS 'proposed, approved, rejected, revoked';

COMMENT ON COLUMN grants.revoked_from IS 'the day a revocation takes effect';

CREATE TABLE group_decisions (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    effective_on DATE NOT NULL,
    tags SMALLINT,
    leaving_since DATE,
    traded_on DATE,
    occurred_on DATE,
    total NUMERIC,
    before NUMERIC,
    policy TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_group_decisions PRIMARY KEY (partition, number)
);

CREATE INDEX ix_group_decisions_client_id_effective_on ON group_decisions (client_id, effective_on);

CREATE TABLE group_standings (
    client_id TEXT NOT NULL,
    tags SMALLINT,
    revision INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_group_standings PRIMARY KEY (client_id)
)
 WITH (fillfactor = 70);

COMMENT ON COLUMN group_standings.tags IS 'bits in the order of TAGS; empty before the first close and once closed';

COMMENT ON COLUMN group_standings.revision IS 'of all that is told of groups';

CREATE TABLE late (
    client_id TEXT NOT NULL,
    day DATE NOT NULL,
    CONSTRAINT pk_late PRIMARY KEY (client_id, day)
);

COMMENT ON TABLE late IS 'clients to evaluate again from a day that may be closed';

CREATE TABLE lifecycle_decisions (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    effective_on DATE NOT NULL,
    lifecycle TEXT NOT NULL,
    previous TEXT,
    total NUMERIC,
    traded_on DATE,
    assets_now NUMERIC,
    assets_before NUMERIC,
    commission_now NUMERIC,
    commission_before NUMERIC,
    policy TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lifecycle_decisions PRIMARY KEY (partition, number)
);

CREATE INDEX ix_lifecycle_decisions_client_id_effective_on ON lifecycle_decisions (client_id, effective_on);

COMMENT ON COLUMN lifecycle_decisions.assets_now IS 'three month means, summed';

CREATE TABLE lifecycle_notes (
    client_id TEXT NOT NULL,
    entered_on DATE NOT NULL,
    kind TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    lifecycle TEXT NOT NULL,
    code TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    by TEXT NOT NULL,
    CONSTRAINT pk_lifecycle_notes PRIMARY KEY (client_id, entered_on, kind, at)
);

COMMENT ON TABLE lifecycle_notes IS 'what staff wrote about an entry into a lifecycle stage [V5]';

COMMENT ON COLUMN lifecycle_notes.kind IS 'reason (of LOST) or reaction';

CREATE TABLE month_cores (
    month_end DATE NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT NOT NULL,
    reasons TEXT NOT NULL,
    rank INTEGER,
    ranked INTEGER,
    CONSTRAINT pk_month_cores PRIMARY KEY (month_end, client_id)
);

COMMENT ON TABLE month_cores IS 'who is core by each month close, as known now';

COMMENT ON COLUMN month_cores.reasons IS 'rank, class, tier, joined by commas [V2]';

COMMENT ON COLUMN month_cores.rank IS 'in the branch, of those with V > 0';

COMMENT ON COLUMN month_cores.ranked IS 'how many those are';

CREATE TABLE month_values (
    month_end DATE NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT NOT NULL,
    value NUMERIC,
    value_type TEXT,
    commission NUMERIC NOT NULL,
    purchases NUMERIC NOT NULL,
    assets NUMERIC NOT NULL,
    lifecycle TEXT NOT NULL,
    CONSTRAINT pk_month_values PRIMARY KEY (month_end, client_id)
);

COMMENT ON TABLE month_values IS 'what each month close found, as known now';

COMMENT ON COLUMN month_values.value IS 'V; empty for a closed account [V1]';

COMMENT ON COLUMN month_values.commission IS '12 months';

COMMENT ON COLUMN month_values.purchases IS '12 months';

COMMENT ON COLUMN month_values.assets IS 'mean of the month';

CREATE TABLE months (
    month_end DATE NOT NULL,
    client_id TEXT NOT NULL,
    day_sum NUMERIC NOT NULL,
    known_days SMALLINT NOT NULL,
    last_total NUMERIC,
    traded NUMERIC NOT NULL,
    orders INTEGER NOT NULL,
    day_sum_to NUMERIC NOT NULL,
    known_days_to INTEGER NOT NULL,
    traded_to NUMERIC NOT NULL,
    orders_to BIGINT NOT NULL,
    mean NUMERIC,
    turnover NUMERIC,
    code TEXT,
    provisional BOOLEAN,
    trader BOOLEAN,
    policy TEXT,
    CONSTRAINT pk_months PRIMARY KEY (month_end, client_id)
);

CREATE INDEX ix_months_client_id_month_end ON months (client_id, month_end);

COMMENT ON COLUMN months.day_sum IS 'known daily totals of the month, summed [K2a]';

COMMENT ON COLUMN months.last_total IS 'carried into the next month';

COMMENT ON COLUMN months.day_sum_to IS 'running total through this month';

COMMENT ON COLUMN months.mean IS 'of the month; empty when the month was not evaluated';

COMMENT ON COLUMN months.code IS 'the class in force from the next day on';

CREATE TABLE occurrences (
    client_id TEXT NOT NULL,
    day DATE NOT NULL,
    kind TEXT NOT NULL,
    CONSTRAINT pk_occurrences PRIMARY KEY (client_id, day)
);

CREATE INDEX ix_occurrences_day ON occurrences (day);

COMMENT ON TABLE occurrences IS 'days that make a client ABNORMAL [K7], as known now';

COMMENT ON COLUMN occurrences.kind IS 'trades, funds or both';

CREATE TABLE purchases (
    client_id TEXT NOT NULL,
    purchase_id TEXT NOT NULL,
    day DATE NOT NULL,
    product_code TEXT NOT NULL,
    amount NUMERIC NOT NULL,
    CONSTRAINT pk_purchases PRIMARY KEY (client_id, purchase_id)
);

CREATE INDEX ix_purchases_day ON purchases (day);

CREATE TABLE risk_levels (
    client_id TEXT NOT NULL,
    level TEXT NOT NULL,
    valid_from DATE NOT NULL,
    valid_until DATE NOT NULL,
    CONSTRAINT pk_risk_levels PRIMARY KEY (client_id)
);

CREATE TABLE standings (
    client_id TEXT NOT NULL,
    retained SMALLINT NOT NULL,
    grace_from DATE,
    next_check DATE,
    CONSTRAINT pk_standings PRIMARY KEY (client_id)
);

CREATE INDEX ix_standings_next_check ON standings (next_check) WHERE next_check IS NOT NULL;

COMMENT ON COLUMN standings.next_check IS 'the close at which the grace gives notice or ends';

CREATE TABLE superseded (
    kind TEXT NOT NULL,
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_superseded PRIMARY KEY (kind, partition, number)
);

COMMENT ON TABLE superseded IS 'decisions that later facts took back; they stay readable as what was known before';

COMMENT ON COLUMN superseded.kind IS 'class_decisions or tier_decisions';

CREATE TABLE supplementary_entries (
    entry_id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    codes TEXT[] NOT NULL,
    scores JSONB,
    suggested TEXT,
    note TEXT DEFAULT '' NOT NULL,
    assets NUMERIC NOT NULL,
    commission NUMERIC NOT NULL,
    made_by TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_supplementary_entries PRIMARY KEY (entry_id)
);

CREATE INDEX ix_supplementary_entries_client_id_kind_entry_id ON supplementary_entries (client_id, kind, entry_id);

COMMENT ON COLUMN supplementary_entries.kind IS 'HABIT, VALUE, STYLE, PREFERENCE, BEHAVIOUR [K3, V3]';

COMMENT ON COLUMN supplementary_entries.codes IS 'namespaced; of preferences the first is primary';

COMMENT ON COLUMN supplementary_entries.scores IS 'five factors of VALUE, 0 to 2 each [K5]';

COMMENT ON COLUMN supplementary_entries.suggested IS 'what the rule suggested when this was entered';

COMMENT ON COLUMN supplementary_entries.assets IS 'at the time of filling: mean of the last closed month';

COMMENT ON COLUMN supplementary_entries.commission IS 'at the time of filling: net, of the calendar year';

CREATE TABLE tag_stretches (
    client_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE,
    CONSTRAINT pk_tag_stretches PRIMARY KEY (client_id, tag, since)
);

CREATE INDEX ix_tag_stretches_tag_client_id ON tag_stretches (tag, client_id) WHERE until IS NULL;

COMMENT ON TABLE tag_stretches IS 'the tags over time, as known now';

COMMENT ON COLUMN tag_stretches.until IS 'exclusive; empty while it lasts';

CREATE TABLE tier_decisions (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    effective_on DATE NOT NULL,
    retained SMALLINT NOT NULL,
    grace_from DATE,
    entitled SMALLINT NOT NULL,
    assets NUMERIC NOT NULL,
    commission NUMERIC NOT NULL,
    reason TEXT NOT NULL,
    policy TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tier_decisions PRIMARY KEY (partition, number)
);

CREATE INDEX ix_tier_decisions_client_id_effective_on ON tier_decisions (client_id, effective_on);

COMMENT ON COLUMN tier_decisions.reason IS 'opened, upgrade, downgrade, grace_started, grace_ended';

CREATE TABLE tiers (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE,
    tier SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_tiers PRIMARY KEY (client_id, since)
);

CREATE INDEX ix_tiers_tier_client_id ON tiers (tier, client_id) WHERE until IS NULL;

COMMENT ON TABLE tiers IS 'the effective tier [T5], as known now';

COMMENT ON COLUMN tiers.until IS 'exclusive; empty when open';

CREATE TABLE trade_days (
    client_id TEXT NOT NULL,
    day DATE NOT NULL,
    commission NUMERIC NOT NULL,
    amount NUMERIC NOT NULL,
    trades INTEGER NOT NULL,
    CONSTRAINT pk_trade_days PRIMARY KEY (client_id, day)
);

CREATE INDEX ix_trade_days_day ON trade_days (day);

COMMENT ON TABLE trade_days IS 'trades summed by client and date, cancellations taken off';

CREATE TABLE trades (
    client_id TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    trade_date DATE NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity NUMERIC NOT NULL,
    amount NUMERIC NOT NULL,
    commission NUMERIC NOT NULL,
    remaining_commission NUMERIC,
    CONSTRAINT pk_trades PRIMARY KEY (client_id, trade_id)
);

COMMENT ON COLUMN trades.remaining_commission IS 'after a cancellation';

CREATE TABLE transfers (
    client_id TEXT NOT NULL,
    transfer_id TEXT NOT NULL,
    day DATE NOT NULL,
    net NUMERIC NOT NULL,
    CONSTRAINT pk_transfers PRIMARY KEY (client_id, transfer_id)
);

CREATE INDEX ix_transfers_client_id_day ON transfers (client_id, day);

CREATE INDEX ix_transfers_day ON transfers (day);

COMMENT ON COLUMN transfers.net IS 'money in above 0, out below';

CREATE TABLE valuations (
    client_id TEXT NOT NULL,
    as_of DATE NOT NULL,
    total NUMERIC NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    event TEXT NOT NULL,
    CONSTRAINT pk_valuations PRIMARY KEY (client_id, as_of)
);

CREATE INDEX ix_valuations_as_of ON valuations (as_of);
