ALTER TABLE messages ADD COLUMN words BYTEA;
COMMENT ON COLUMN messages.words IS 'encrypted';
CREATE TABLE inbound (
	inbound_id TEXT NOT NULL, 
	client_id TEXT, 
	number TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	command TEXT NOT NULL, 
	words BYTEA, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_inbound PRIMARY KEY (inbound_id)
);
CREATE INDEX ix_inbound_client_id_at ON inbound (client_id, at);
CREATE INDEX ix_inbound_number_at ON inbound (number, at);
COMMENT ON COLUMN inbound.number IS 'the number''s token';
COMMENT ON COLUMN inbound.owner IS 'under whose key the words lie';
COMMENT ON COLUMN inbound.words IS 'encrypted';
CREATE TABLE stray_receipts (
	ref TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_stray_receipts PRIMARY KEY (ref)
);
CREATE INDEX ix_stray_receipts_received_at ON stray_receipts (received_at);
