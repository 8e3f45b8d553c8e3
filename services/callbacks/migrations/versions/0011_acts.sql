-- What led to the state each step names; a step of several in one call keeps its place, the task's making is no act.
INSERT INTO act_steps (object, number, act, before, after, at, recorded_at, late, person, role, tells, detail)
SELECT 'task/' || task_id, row_number() OVER (PARTITION BY task_id ORDER BY number),
       CASE WHEN reason = 'claimed' THEN 'claim' WHEN reason = 'released' THEN 'release' WHEN reason = 'lease' THEN 'lapse'
            WHEN reason = 'called' THEN 'attempt' WHEN reason = 'survey_unanswered' THEN 'write'
            WHEN reason = 'account_closed' THEN 'close' WHEN reason = 'staff' THEN 'cancel'
            WHEN reason = 'facts_corrected' THEN CASE to_state WHEN 'planned' THEN 'restore' ELSE 'withdraw' END
            WHEN to_state = 'expired' THEN 'expire' WHEN to_state = 'reached' THEN 'reach'
            WHEN reason = 'survey_answered' THEN 'answer' WHEN reason = 'letter_answered' THEN 'enter_letter'
            WHEN reason = 'replied' THEN 'reply' WHEN to_state = 'completed' THEN 'complete'
            WHEN to_state = 'rescheduled' THEN 'postpone' WHEN to_state = 'exhausted' THEN 'exhaust' ELSE 'retry' END,
       from_state, to_state, at, at, false, actor, CASE WHEN actor = 'careline' THEN 'system' ELSE '' END, '{staff}',
       detail || jsonb_build_object('on_day', on_day, 'policy', policy)
FROM steps WHERE from_state IS NOT NULL;
