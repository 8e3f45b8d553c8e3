ALTER TABLE clients ADD COLUMN name BYTEA, ADD COLUMN phone BYTEA;
ALTER TABLE cases ADD COLUMN contact_name BYTEA, ADD COLUMN contact_phone BYTEA;
COMMENT ON COLUMN clients.name IS 'encrypted';
COMMENT ON COLUMN clients.phone IS 'encrypted';
COMMENT ON COLUMN cases.contact_name IS 'encrypted';
COMMENT ON COLUMN cases.contact_phone IS 'encrypted';
