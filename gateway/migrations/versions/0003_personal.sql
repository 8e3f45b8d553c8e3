CREATE TABLE client_keys (
    owner TEXT NOT NULL,
    generation INTEGER NOT NULL,
    wrapped BYTEA,
    branch_id TEXT,
    branch_stamp TIMESTAMP WITH TIME ZONE,
    branch_event TEXT,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    blocked_at TIMESTAMP WITH TIME ZONE,
    destroyed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_client_keys PRIMARY KEY (owner),
    CONSTRAINT ck_client_keys_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

COMMENT ON TABLE client_keys IS 'personal values lie under these; a destroyed one keeps its row, so that none is made again';
COMMENT ON COLUMN client_keys.owner IS 'a client, or case:ID, booking:ID, call:ID, enquiry:ID, visit:ID';
COMMENT ON COLUMN client_keys.wrapped IS 'by the master key; empty once destroyed';
COMMENT ON COLUMN client_keys.branch_id IS 'of a client: who may find them by name or number';
COMMENT ON COLUMN client_keys.blocked_at IS 'kept only: nothing may be read';

CREATE TABLE client_tokens (
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    generation INTEGER NOT NULL,
    stamp TIMESTAMP WITH TIME ZONE NOT NULL,
    event_id TEXT NOT NULL,
    tokens BYTEA[] NOT NULL,
    CONSTRAINT pk_client_tokens PRIMARY KEY (owner, kind),
    CONSTRAINT fk_client_tokens_owner_client_keys FOREIGN KEY(owner) REFERENCES client_keys (owner)
);

COMMENT ON TABLE client_tokens IS 'keyed hashes that find a client by number or name; gone with the key';
COMMENT ON COLUMN client_tokens.kind IS 'phone, name, initials';

CREATE INDEX ix_client_tokens_tokens ON client_tokens USING gin (tokens);

CREATE TABLE erasures (
    erasure_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    round INTEGER DEFAULT 1 NOT NULL,
    round_at TIMESTAMP WITH TIME ZONE NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_erasures PRIMARY KEY (erasure_id)
);

COMMENT ON COLUMN erasures.state IS 'waiting for the services, done';
COMMENT ON COLUMN erasures.round IS 'how often the services were asked';

CREATE UNIQUE INDEX uq_erasures_open ON erasures (client_id) WHERE state = 'waiting';

CREATE TABLE erasure_answers (
    erasure_id UUID NOT NULL,
    service TEXT NOT NULL,
    round INTEGER NOT NULL,
    over BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    kept_until DATE,
    owners TEXT[] DEFAULT '{}' NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_erasure_answers PRIMARY KEY (erasure_id, service),
    CONSTRAINT fk_erasure_answers_erasure_id_erasures FOREIGN KEY(erasure_id) REFERENCES erasures (erasure_id)
);
