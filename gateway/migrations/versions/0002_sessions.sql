CREATE TABLE sessions (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL,
    role TEXT NOT NULL,
    branch_id TEXT,
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by TEXT,
    CONSTRAINT pk_sessions PRIMARY KEY (id)
);

CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);

CREATE INDEX ix_sessions_person ON sessions (person);

COMMENT ON COLUMN sessions.kind IS 'session of a browser, or bearer token, listed from its first use on';

CREATE TABLE revocations (
    name TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_revocations PRIMARY KEY (name)
);

COMMENT ON COLUMN revocations.name IS 'a person or a sign-in name';

COMMENT ON COLUMN revocations.at IS 'what was issued before is worth nothing';

ALTER TABLE users ADD COLUMN new_password TEXT;

COMMENT ON COLUMN users.new_password IS 'argon2id; waits for a second person';

ALTER TABLE api_keys ADD COLUMN person TEXT;

ALTER TABLE api_keys ADD COLUMN disabled BOOLEAN DEFAULT false NOT NULL;

COMMENT ON COLUMN api_keys.person IS 'whose it is; empty for a system''s';
