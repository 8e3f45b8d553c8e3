ALTER TABLE reviews ADD COLUMN revision integer NOT NULL DEFAULT 0;
CREATE TABLE library_states (
    code text NOT NULL,
    revision integer NOT NULL,
    since date NOT NULL,
    changed_from date NOT NULL,
    shelf text NOT NULL,
    floor text,
    CONSTRAINT pk_library_states PRIMARY KEY (code, revision, since)
);
COMMENT ON COLUMN library_states.floor IS 'the level it asks for at least; empty: any';
