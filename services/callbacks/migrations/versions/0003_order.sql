-- A mark is added and taken away, never met by another: whoever adds one waits for nobody, and a mark made while the
-- closer takes away an earlier one of the same client stays.
ALTER TABLE late DROP CONSTRAINT pk_late;

ALTER TABLE late ADD COLUMN number BIGINT GENERATED ALWAYS AS IDENTITY;

ALTER TABLE late ADD CONSTRAINT pk_late PRIMARY KEY (client_id, number);

-- Numbering steps locks the heads of their partitions until the end. Were they locked before the last row of a task or a
-- client, the consumer, the closer and the agents' requests could each hold what another waits for.
CREATE TABLE told_steps (
    transaction BIGINT DEFAULT pg_current_xact_id()::text::bigint NOT NULL,
    place BIGINT GENERATED ALWAYS AS IDENTITY,
    is_last BOOLEAN NOT NULL,
    partition INTEGER NOT NULL,
    task_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    on_day DATE NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail JSONB NOT NULL,
    policy TEXT,
    CONSTRAINT pk_told_steps PRIMARY KEY (transaction, place)
);

COMMENT ON TABLE told_steps IS 'steps of a transaction not ended yet: it numbers them as its last act';
