ALTER TABLE trades ADD COLUMN kind TEXT;
COMMENT ON COLUMN trades.kind IS 'of the instrument [K4]; empty: heard before it was kept';
COMMENT ON COLUMN trade_days.trades IS 'filled orders that were not cancelled in full [T6]';
UPDATE trade_days d SET trades = d.trades - n.orders
FROM (SELECT client_id, trade_date, count(*)::int AS orders FROM trades WHERE remaining_commission = 0 GROUP BY 1, 2) n
WHERE d.client_id = n.client_id AND d.day = n.trade_date;
INSERT INTO late SELECT DISTINCT client_id, trade_date FROM trades WHERE remaining_commission = 0 ON CONFLICT DO NOTHING;
