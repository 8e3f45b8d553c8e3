ALTER TABLE months DROP CONSTRAINT pk_months;
DROP INDEX ix_months_client_id_month_end;
ALTER TABLE months ADD CONSTRAINT pk_months PRIMARY KEY (client_id, month_end);
CREATE INDEX ix_months_month_end ON months (month_end);
ALTER TABLE month_values DROP CONSTRAINT pk_month_values;
ALTER TABLE month_values ADD CONSTRAINT pk_month_values PRIMARY KEY (client_id, month_end);
CREATE INDEX ix_month_values_month_end ON month_values (month_end);
COMMENT ON TABLE month_values IS 'what month closes found, as known now; a row stands until the next one';
COMMENT ON TABLE months IS 'what month closes summed and found, as known now; a row stands until the next one';
