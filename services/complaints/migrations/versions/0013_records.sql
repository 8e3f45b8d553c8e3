CREATE TABLE kept_figures (
	period TEXT NOT NULL,
	made_at TIMESTAMP WITH TIME ZONE NOT NULL,
	branches JSONB NOT NULL,
	people JSONB NOT NULL,
	CONSTRAINT pk_kept_figures PRIMARY KEY (period)
);
COMMENT ON TABLE kept_figures IS 'the KPIs of a period as its close made them: nothing overwrites them [C20]';
COMMENT ON COLUMN kept_figures.made_at IS 'what was recorded by then counts; later words of it count in the period after';
ALTER TABLE nil_reports ADD COLUMN cancelled_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE nil_reports ADD COLUMN cancelled_by TEXT;
ALTER TABLE nil_reports ADD COLUMN cancel_reason TEXT;
ALTER TABLE reception_days ADD COLUMN cancelled_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE reception_days ADD COLUMN cancelled_by TEXT;
ALTER TABLE reception_days ADD COLUMN cancel_reason TEXT;
