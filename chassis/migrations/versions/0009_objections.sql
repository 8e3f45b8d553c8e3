CREATE TABLE client_objections (
	client_id TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	everybody BOOLEAN NOT NULL, 
	persons TEXT[] NOT NULL, 
	CONSTRAINT pk_client_objections PRIMARY KEY (client_id)
);
COMMENT ON COLUMN client_objections.everybody IS 'objects to being looked at by anybody of the staff';
COMMENT ON COLUMN client_objections.persons IS 'by these alone';
