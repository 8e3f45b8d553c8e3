-- A mark is added and taken away, never met by another: whoever adds one waits for nobody, and a mark made while the
-- closer takes away an earlier one of the same client stays.
ALTER TABLE late DROP CONSTRAINT pk_late;

ALTER TABLE late ADD COLUMN number BIGINT GENERATED ALWAYS AS IDENTITY;

ALTER TABLE late ADD CONSTRAINT pk_late PRIMARY KEY (client_id, number);
