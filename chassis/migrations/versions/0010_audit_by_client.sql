DROP INDEX IF EXISTS ix_audit_client_id;
CREATE INDEX CONCURRENTLY ix_audit_client_id ON audit USING gin ((inputs -> 'client_id')) WHERE inputs ? 'client_id';
