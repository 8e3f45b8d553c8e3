CREATE TABLE prospects (
	prospect_id TEXT NOT NULL, 
	branch_id TEXT NOT NULL, 
	owner TEXT, 
	source TEXT NOT NULL, 
	interests TEXT[] NOT NULL, 
	state TEXT NOT NULL, 
	heard_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	entered_by TEXT NOT NULL, 
	opening_on DATE, 
	reason TEXT, 
	converted_to TEXT, 
	ended_at TIMESTAMP WITH TIME ZONE, 
	tokens BYTEA[] NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_prospects PRIMARY KEY (prospect_id), 
	CONSTRAINT ck_prospects_state CHECK (state IN ('new', 'contacted', 'interested', 'booked', 'dropped', 'converted', 'erased'))
);
CREATE INDEX ix_prospects_branch_id_prospect_id ON prospects (branch_id, prospect_id);
CREATE INDEX ix_prospects_converted_to ON prospects (converted_to);
CREATE INDEX ix_prospects_tokens ON prospects USING gin (tokens) WHERE state NOT IN ('converted', 'erased');
COMMENT ON COLUMN prospects.prospect_id IS 'as information, contacts and visits name them';
COMMENT ON COLUMN prospects.owner IS 'who looks after them; none: who leads the branch';
COMMENT ON COLUMN prospects.heard_at IS 'the first word';
COMMENT ON COLUMN prospects.opening_on IS 'when they want to open the account';
COMMENT ON COLUMN prospects.reason IS 'why they were given up';
COMMENT ON COLUMN prospects.converted_to IS 'the client they became';
COMMENT ON COLUMN prospects.ended_at IS 'when the account was opened, or they were erased';
COMMENT ON COLUMN prospects.tokens IS 'keyed hashes of their numbers, until the end';
CREATE TABLE quotas (
	client_id TEXT NOT NULL, 
	market TEXT NOT NULL, 
	as_of DATE NOT NULL, 
	quota NUMERIC NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	fact_id TEXT NOT NULL, 
	CONSTRAINT pk_quotas PRIMARY KEY (client_id, market, as_of)
);
