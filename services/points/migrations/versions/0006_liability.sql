CREATE TABLE frozen_months (
    last_day DATE NOT NULL,
    frozen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_frozen_months PRIMARY KEY (last_day)
);
COMMENT ON COLUMN frozen_months.last_day IS 'nothing is posted on it or earlier any more';

CREATE TABLE liability_closes (
    month DATE NOT NULL,
    found JSONB NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_by TEXT NOT NULL,
    CONSTRAINT pk_liability_closes PRIMARY KEY (month)
);
COMMENT ON COLUMN liability_closes.month IS 'its first day';
COMMENT ON COLUMN liability_closes.found IS 'services.points.liability.Close';
