ALTER TABLE tasks ADD COLUMN expired_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE tasks ADD COLUMN late_until TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN tasks.expired_at IS 'the breach, told once; the task may go on late [C11]';
COMMENT ON COLUMN tasks.late_until IS 'until then it is worked on, late';
UPDATE tasks SET expired_at = due_at WHERE state = 'expired';
CREATE INDEX ix_tasks_late ON tasks (queue) WHERE late_until IS NOT NULL;
