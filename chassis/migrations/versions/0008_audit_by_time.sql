CREATE INDEX ix_audit_at ON audit (at);
