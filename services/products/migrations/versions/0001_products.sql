CREATE TABLE clients (
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	opened_on DATE, 
	closed_on DATE, 
	stamps JSONB DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_clients PRIMARY KEY (client_id)
);
CREATE INDEX ix_clients_branch_id ON clients (branch_id);
COMMENT ON COLUMN clients.stamps IS '[ce_time, ce_id, day] of each field';
CREATE TABLE commissions (
	client_id TEXT NOT NULL, 
	agreement_id TEXT NOT NULL, 
	said_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	event_id TEXT NOT NULL, 
	account_id TEXT, 
	rate INTEGER NOT NULL, 
	effective_on DATE NOT NULL, 
	withdrawn BOOLEAN NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_commissions PRIMARY KEY (client_id, agreement_id, said_at, event_id), 
	CONSTRAINT ck_commissions_ceiling CHECK (rate BETWEEN 0 AND 30000)
);
COMMENT ON COLUMN commissions.said_at IS 'ce_time';
COMMENT ON COLUMN commissions.event_id IS 'ce_id';
COMMENT ON COLUMN commissions.account_id IS 'for this account alone';
COMMENT ON COLUMN commissions.rate IS 'all in, ten-thousandths of a per mille';
CREATE TABLE fee_rates (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	stretches JSONB NOT NULL, 
	CONSTRAINT pk_fee_rates PRIMARY KEY (client_id)
);
CREATE TABLE fee_rates_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	stretches JSONB NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_fee_rates_changes PRIMARY KEY (client_id, revision)
);
CREATE TABLE late (
	client_id TEXT NOT NULL, 
	day DATE NOT NULL, 
	CONSTRAINT pk_late PRIMARY KEY (client_id, day)
);
COMMENT ON TABLE late IS 'clients to evaluate again from a day that may be closed';
CREATE TABLE product_states (
	product TEXT NOT NULL, 
	since DATE NOT NULL, 
	revision INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_product_states PRIMARY KEY (product, since, revision)
);
CREATE TABLE products (
	product TEXT NOT NULL, 
	state TEXT NOT NULL, 
	since DATE NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	told INTEGER DEFAULT '0' NOT NULL, 
	told_floor TEXT, 
	told_rank INTEGER, 
	CONSTRAINT pk_products PRIMARY KEY (product)
);
COMMENT ON COLUMN products.since IS 'of this state';
COMMENT ON COLUMN products.revision IS 'of its acts';
COMMENT ON COLUMN products.told IS 'revision of products.product.changed';
-- The shipped catalogue stands on the shelf; D is a draft, as it asks for a licence the firm has to show first.
INSERT INTO products (product, state, since)
SELECT code, CASE code WHEN 'D' THEN 'draft' ELSE 'on_shelf' END, '1990-01-01'
FROM unnest(ARRAY['FREE', 'SMS1', 'SMS2', 'SMS3', 'A', 'B', 'C', 'D', 'E', 'QUERY']) AS code;
INSERT INTO product_states (product, since, revision, state, recorded_at)
SELECT product, since, 0, state, transaction_timestamp() FROM products;
