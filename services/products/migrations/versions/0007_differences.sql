CREATE TABLE rate_applications (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	apply_from DATE NOT NULL, 
	CONSTRAINT pk_rate_applications PRIMARY KEY (client_id, revision)
);
CREATE TABLE trades (
	client_id TEXT NOT NULL, 
	trade_id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	trade_date DATE NOT NULL, 
	amount NUMERIC NOT NULL, 
	commission NUMERIC NOT NULL, 
	CONSTRAINT pk_trades PRIMARY KEY (client_id, trade_id)
);
CREATE INDEX ix_trades_client_id_trade_date ON trades (client_id, trade_date);
CREATE TABLE trade_cancellations (
	client_id TEXT NOT NULL, 
	trade_id TEXT NOT NULL, 
	remaining NUMERIC NOT NULL, 
	CONSTRAINT pk_trade_cancellations PRIMARY KEY (client_id, trade_id)
);
CREATE TABLE differences_due (
	client_id TEXT NOT NULL, 
	day DATE NOT NULL, 
	CONSTRAINT pk_differences_due PRIMARY KEY (client_id, day)
);
CREATE INDEX ix_differences_due_day ON differences_due (day);
ALTER TABLE charges ALTER COLUMN subscription_id DROP NOT NULL;
COMMENT ON COLUMN charges.subscription_id IS 'none: of the rate, whatever raises it';
COMMENT ON COLUMN charges.code IS 'empty: of the rate';
INSERT INTO rate_applications (client_id, revision, changed_from, apply_from)
SELECT client_id, revision, changed_from, greatest(changed_from, (recorded_at AT TIME ZONE 'Asia/Shanghai')::date + 1) FROM fee_rates_changes;
