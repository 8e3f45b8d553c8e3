ALTER TABLE evidence ADD COLUMN recorded_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN evidence.recorded_at IS 'when the call was recorded, as the phone system says';
-- What an unknown number had ended waits for the right one, as long as its time has not run out.
INSERT INTO act_steps (object, number, act, before, after, at, recorded_at, late, person, role, tells, detail)
SELECT 'task/' || t.task_id, (SELECT coalesce(max(number), 0) + 1 FROM act_steps s WHERE s.object = 'task/' || t.task_id),
       'await_number', 'exhausted', 'waiting', now(), now(), false, 'careline', 'system', '{staff}', '{}'
FROM tasks t WHERE state = 'exhausted' AND channel = 'contact_data';
UPDATE tasks SET state = 'waiting', channel = 'phone', revision = revision + 1
WHERE state = 'exhausted' AND channel = 'contact_data';
DROP INDEX ix_tasks_due;
CREATE INDEX ix_tasks_due ON tasks (due_on)
WHERE state IN ('planned', 'assigned', 'attempting', 'reached', 'rescheduled', 'waiting', 'exhausted');
