CREATE TABLE prices_told (
	version TEXT NOT NULL,
	subscription_id UUID NOT NULL,
	CONSTRAINT pk_prices_told PRIMARY KEY (version, subscription_id)
);
INSERT INTO prices_told (version, subscription_id)
SELECT n.version, s.subscription_id FROM price_notices n JOIN subscriptions s ON s.signed_on <= n.told_on;
