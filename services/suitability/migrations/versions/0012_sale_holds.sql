CREATE TABLE sale_holds (
    hold_id text NOT NULL,
    client_id text NOT NULL,
    scope text NOT NULL,
    placed_at timestamptz NOT NULL,
    lifted_at timestamptz,
    CONSTRAINT pk_sale_holds PRIMARY KEY (hold_id)
);
CREATE UNIQUE INDEX ix_sale_holds_open ON sale_holds (client_id) WHERE lifted_at IS NULL;
