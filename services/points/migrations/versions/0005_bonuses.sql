ALTER TABLE clients ADD COLUMN opened_on DATE;
ALTER TABLE clients ADD COLUMN closed_on DATE;
CREATE INDEX ix_clients_opened_on ON clients (opened_on);

CREATE TABLE lifecycles (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    lifecycle TEXT NOT NULL,
    CONSTRAINT pk_lifecycles PRIMARY KEY (client_id, since)
);
CREATE TABLE lifecycles_changes (
    client_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed_from DATE NOT NULL,
    told JSONB NOT NULL,
    CONSTRAINT pk_lifecycles_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE lifecycles_changes IS 'what lifecycles is the fold of';

CREATE TABLE bonuses (
    client_id TEXT NOT NULL,
    item TEXT NOT NULL,
    value_on DATE NOT NULL,
    points BIGINT NOT NULL,
    expires_on DATE NOT NULL,
    policy TEXT NOT NULL,
    back_on DATE,
    CONSTRAINT pk_bonuses PRIMARY KEY (client_id, item),
    CONSTRAINT ck_bonuses_points CHECK (points >= 0)
);
COMMENT ON COLUMN bonuses.item IS 'loyalty/N, referral/CLIENT, suggestion/ID';
COMMENT ON COLUMN bonuses.points IS 'hundredths; none once a late fact takes it away';
COMMENT ON COLUMN bonuses.back_on IS 'the day from which it is clawed back';
