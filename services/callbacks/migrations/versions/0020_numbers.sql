ALTER TABLE callers ADD COLUMN task_id UUID;
ALTER TABLE callers ADD COLUMN number BYTEA;
COMMENT ON COLUMN callers.task_id IS 'the task that returns this call, its own or that of an earlier call of the number';
COMMENT ON COLUMN callers.number IS 'a keyed token of the number, forgotten when the task is over';
CREATE INDEX ix_callers_number ON callers (number) WHERE number IS NOT NULL;
