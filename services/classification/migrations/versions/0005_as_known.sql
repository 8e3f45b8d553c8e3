-- Month evaluations are known since when they were found: those kept until now, at the latest since the month's end.
ALTER TABLE months ADD COLUMN recorded_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now();
ALTER TABLE month_values ADD COLUMN recorded_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now();
ALTER TABLE month_cores ADD COLUMN recorded_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now();
UPDATE months SET recorded_at = least(now(), (month_end + 1)::timestamp AT TIME ZONE 'Asia/Shanghai');
UPDATE month_values SET recorded_at = least(now(), (month_end + 1)::timestamp AT TIME ZONE 'Asia/Shanghai');
UPDATE month_cores SET recorded_at = least(now(), (month_end + 1)::timestamp AT TIME ZONE 'Asia/Shanghai');
COMMENT ON COLUMN months.recorded_at IS 'when this was found';
COMMENT ON COLUMN month_values.recorded_at IS 'when this was found';
COMMENT ON COLUMN month_cores.recorded_at IS 'when this was found';
ALTER TABLE clients ADD COLUMN heard_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN clients.heard_at IS 'when the opening was heard; empty: only heard of so far, or before this was kept';
CREATE TABLE earlier_evaluations (
    kind TEXT NOT NULL,
    client_id TEXT NOT NULL,
    month_end DATE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    superseded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    body JSONB NOT NULL,
    CONSTRAINT pk_earlier_evaluations PRIMARY KEY (client_id, kind, month_end, superseded_at)
);
COMMENT ON TABLE earlier_evaluations IS 'month evaluations that later facts took the place of';
COMMENT ON COLUMN earlier_evaluations.kind IS 'months, month_values or month_cores';
COMMENT ON COLUMN earlier_evaluations.body IS 'the row as it was';
