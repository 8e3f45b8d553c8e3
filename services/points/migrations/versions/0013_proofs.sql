CREATE TABLE proofs (
    client_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    content TEXT NOT NULL,
    stored_at TIMESTAMP WITH TIME ZONE NOT NULL,
    stored_by TEXT NOT NULL,
    CONSTRAINT pk_proofs PRIMARY KEY (client_id, sha256)
);
COMMENT ON COLUMN proofs.type IS 'what the bytes are, whatever was claimed';
COMMENT ON COLUMN proofs.content IS 'encrypted under the client''s key';
