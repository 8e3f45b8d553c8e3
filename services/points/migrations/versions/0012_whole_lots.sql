ALTER TABLE balances ADD COLUMN whole BIGINT DEFAULT '0' NOT NULL;
COMMENT ON COLUMN balances.whole IS 'in lots that are all there: without a row of `lots`';
UPDATE balances b SET whole = w.points
FROM (SELECT e.client_id, sum(e.points)::bigint AS points FROM entries e
      WHERE e.expires_on IS NOT NULL AND e.step = 0
        AND NOT EXISTS (SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text)
      GROUP BY e.client_id) w
WHERE b.client_id = w.client_id;
ALTER TABLE balances ADD CONSTRAINT ck_balances_whole CHECK (whole >= 0);
CREATE INDEX ix_lots_left ON lots (client_id) WHERE free + held > 0;
CREATE INDEX ix_holds_open ON holds (client_id) WHERE outcome IS NULL;
ALTER TABLE redemptions ADD COLUMN asked_at TIMESTAMP WITH TIME ZONE;
UPDATE redemptions SET asked_at = requested_at;
ALTER TABLE redemptions ALTER COLUMN asked_at SET NOT NULL;
COMMENT ON COLUMN redemptions.asked_at IS 'when products was first asked for its present answer';
