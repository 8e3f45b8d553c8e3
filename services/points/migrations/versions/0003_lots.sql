ALTER TABLE entries ADD COLUMN item TEXT;
ALTER TABLE entries ADD COLUMN value_on DATE;
COMMENT ON COLUMN entries.item IS 'what caused it, where that is no trade: a hold, a bonus, the end of lots';
COMMENT ON COLUMN entries.value_on IS 'the day it counts from; none: the trade date, of an old reversal posted_on';
COMMENT ON COLUMN entries.expires_on IS 'of the lot these points are in, where they were gained [P6]';
ALTER TABLE entries ADD CONSTRAINT ck_entries_accounts CHECK (debit_account <> credit_account);
ALTER TABLE entries ADD CONSTRAINT ck_entries_item CHECK ((trade_id IS NULL) <> (item IS NULL));
CREATE UNIQUE INDEX uq_entries_item ON entries (client_id, item, step) WHERE item IS NOT NULL;
CREATE INDEX ix_entries_expires_on ON entries USING brin (expires_on) WITH (autosummarize = on);

ALTER TABLE balances ADD COLUMN held BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE balances ADD COLUMN used_on DATE DEFAULT '-infinity' NOT NULL;
COMMENT ON COLUMN balances.held IS 'kept for applications and redemptions';
COMMENT ON COLUMN balances.used_on IS 'value date of the last item that touched lots other than its own, or debt: what counts from it or earlier is folded again';
ALTER TABLE balances DROP CONSTRAINT ck_balances_points;
ALTER TABLE balances ADD CONSTRAINT ck_balances_points CHECK (available >= 0 AND held >= 0 AND debt >= 0);

CREATE TABLE lots (
    client_id TEXT NOT NULL,
    lot TEXT NOT NULL,
    value_on DATE NOT NULL,
    expires_on DATE NOT NULL,
    free BIGINT NOT NULL,
    held BIGINT NOT NULL,
    expired BIGINT NOT NULL,
    extended BOOLEAN NOT NULL,
    CONSTRAINT pk_lots PRIMARY KEY (client_id, lot),
    CONSTRAINT ck_lots_points CHECK (free >= 0 AND held >= 0 AND expired >= 0)
);
COMMENT ON COLUMN lots.lot IS 'the entry that made it; an extension names its hold';
COMMENT ON COLUMN lots.expires_on IS 'at the close of this day [P6]';
CREATE INDEX ix_lots_expires_on ON lots (expires_on) WHERE free > 0;

CREATE TABLE holds (
    client_id TEXT NOT NULL,
    hold TEXT NOT NULL,
    reward TEXT NOT NULL,
    points BIGINT NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_holds PRIMARY KEY (client_id, hold),
    CONSTRAINT ck_holds_points CHECK (points > 0 AND (outcome IS NULL) = (ended_at IS NULL)),
    CONSTRAINT ck_holds_outcome CHECK (outcome IN ('spent', 'refused', 'withdrawn'))
);
COMMENT ON COLUMN holds.hold IS 'redemption/ID, upgrade/ID';
COMMENT ON COLUMN holds.outcome IS 'spent, refused, withdrawn; none: still held';

CREATE TABLE late (
    client_id TEXT NOT NULL,
    day DATE NOT NULL,
    CONSTRAINT pk_late PRIMARY KEY (client_id, day)
);
COMMENT ON TABLE late IS 'clients to evaluate again from a day that may be closed';

-- A trade is one lot now, its corrections too; what was taken from any of its rows is gone from that lot.
INSERT INTO lots
SELECT e.client_id, (array_agg(e.entry_id ORDER BY e.step))[1]::text, max(e.trade_date), max(e.expires_on),
       coalesce(sum(coalesce(r.remaining, e.points)) FILTER (WHERE e.expires_on IS NOT NULL), 0), 0, 0, false
FROM entries e LEFT JOIN lot_remainders r USING (client_id, entry_id)
WHERE e.trade_id IS NOT NULL
GROUP BY e.client_id, e.trade_id
HAVING max(e.expires_on) IS NOT NULL AND (count(*) > 1 OR count(r.remaining) > 0);
DROP TABLE lot_remainders;

-- Whoever ever owed points, or lost more than a trade's own lot had, is folded again when something older is heard.
UPDATE balances b SET used_on = found.day
FROM (SELECT client_id, max(posted_on) AS day FROM entries
      WHERE debit_account LIKE 'cust:%:debt' OR credit_account LIKE 'cust:%:debt' GROUP BY client_id) found
WHERE b.client_id = found.client_id;

ALTER TABLE cancellations ADD COLUMN at TIMESTAMP WITH TIME ZONE;
UPDATE cancellations SET at = cancelled_on::timestamp AT TIME ZONE 'Asia/Shanghai';
ALTER TABLE cancellations ALTER COLUMN at SET NOT NULL;
ALTER TABLE cancellations DROP CONSTRAINT pk_cancellations;
ALTER TABLE cancellations ADD CONSTRAINT pk_cancellations PRIMARY KEY (client_id, trade_id, at);
ALTER TABLE cancellations DROP COLUMN cancelled_on;
COMMENT ON COLUMN cancellations.remaining IS 'remaining commission [P1]';

-- What ended on days that are closed expires at once: nothing did so far.
INSERT INTO late
SELECT client_id, max(expires_on) FROM entries
WHERE expires_on <= (SELECT through FROM closed_days) GROUP BY client_id;
