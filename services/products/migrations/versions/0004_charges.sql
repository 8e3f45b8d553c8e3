CREATE TABLE charges (
	partition INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	charge_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	subscription_id UUID NOT NULL, 
	code TEXT NOT NULL, 
	month TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	fen BIGINT NOT NULL, 
	original UUID, 
	begins DATE NOT NULL, 
	ends DATE, 
	posted_on DATE NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_charges PRIMARY KEY (partition, number), 
	CONSTRAINT uq_charges_charge_id UNIQUE (charge_id)
);
CREATE INDEX ix_charges_client_id_month ON charges (client_id, month);
CREATE INDEX ix_charges_original ON charges (original) WHERE original IS NOT NULL;
CREATE INDEX ix_charges_subscription_id_kind_month ON charges (subscription_id, kind, month);
COMMENT ON COLUMN charges.number IS 'gapless in its partition, in the order of recording';
COMMENT ON COLUMN charges.charge_id IS 'UUIDv5 of what it is for';
COMMENT ON COLUMN charges.month IS 'of the statement';
COMMENT ON COLUMN charges.fen IS 'hundredths of CNY; credits are negative';
COMMENT ON COLUMN charges.original IS 'the line a credit takes back';
COMMENT ON COLUMN charges.begins IS 'the first day it is for';
COMMENT ON COLUMN charges.ends IS 'exclusive';
COMMENT ON COLUMN charges.posted_on IS 'the closed day it was posted for';
CREATE TABLE entrusted (
	client_id TEXT NOT NULL, 
	agreement_id TEXT NOT NULL, 
	as_of DATE NOT NULL, 
	value NUMERIC NOT NULL, 
	said_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	event_id TEXT NOT NULL, 
	CONSTRAINT pk_entrusted PRIMARY KEY (client_id, agreement_id, as_of)
);
CREATE TABLE payments (
	charge_id UUID NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	state TEXT NOT NULL, 
	client_id TEXT NOT NULL, 
	CONSTRAINT pk_payments PRIMARY KEY (charge_id, at, state)
);
CREATE INDEX ix_payments_client_id ON payments (client_id);
