CREATE TABLE price_notices (
	version TEXT NOT NULL,
	told_on DATE NOT NULL,
	CONSTRAINT pk_price_notices PRIMARY KEY (version)
);
