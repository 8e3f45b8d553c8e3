CREATE TABLE flagged_numbers (
	token TEXT NOT NULL, 
	flagged_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_flagged_numbers PRIMARY KEY (token)
);
