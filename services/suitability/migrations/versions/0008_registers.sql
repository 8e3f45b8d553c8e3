CREATE TABLE registers (
    register_date date NOT NULL,
    branch_id text NOT NULL,
    clients integer NOT NULL,
    levels jsonb NOT NULL,
    revision integer NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT pk_registers PRIMARY KEY (register_date, branch_id)
);
COMMENT ON COLUMN registers.branch_id IS 'empty: of clients without a branch';
CREATE TABLE register_reads (
    register_date date NOT NULL,
    branch_id text NOT NULL,
    person text NOT NULL,
    revision integer NOT NULL,
    read_at timestamptz NOT NULL,
    CONSTRAINT pk_register_reads PRIMARY KEY (register_date, branch_id, person)
);
