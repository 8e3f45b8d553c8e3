ALTER TABLE cases
    ADD COLUMN ordered_in INTEGER, ADD COLUMN phoned_in INTEGER,
    ADD COLUMN third_party_over BOOLEAN DEFAULT 'false' NOT NULL;
COMMENT ON COLUMN cases.ordered_in IS 'the newest generation whose order went to the branch';
COMMENT ON COLUMN cases.phoned_in IS 'the newest generation whose order was told by phone [C4]';
COMMENT ON COLUMN cases.third_party_over IS 'a third party has had its time in this generation [C23]';
UPDATE cases c SET ordered_in = t.ordered_in, phoned_in = t.phoned_in
FROM (SELECT case_id, max(generation) FILTER (WHERE addressees <> '[]') AS ordered_in,
             max(generation) FILTER (WHERE phoned_at IS NOT NULL) AS phoned_in
      FROM tickets GROUP BY case_id) t
WHERE t.case_id = c.case_id;
UPDATE cases c SET third_party_over = true
WHERE EXISTS (SELECT FROM case_moves m WHERE m.case_id = c.case_id AND m.generation = c.generation
                AND m.what = 'waited long enough');

INSERT INTO act_steps (object, number, act, before, after, at, recorded_at, late, person, role, tells, detail)
SELECT 'case/' || case_id, number,
       CASE what
           WHEN 'accepted' THEN 'accept' WHEN 'hand-over offered' THEN 'offer' WHEN 'hand-over accepted' THEN 'take_over'
           WHEN 'hand-over lapsed' THEN 'offer_lapsed' WHEN 'owner left' THEN 'owner_left' WHEN 'dispatched' THEN 'dispatch'
           WHEN 'general manager told' THEN 'phone_notice' WHEN 'solution discussed' THEN 'solution'
           WHEN 'investigating' THEN 'investigate' WHEN 'fed back' THEN 'feedback' WHEN 'waits for customer' THEN 'wait_customer'
           WHEN 'waits for third_party' THEN 'wait_third_party' WHEN 'answered' THEN 'reply' WHEN 'promised' THEN 'promise'
           WHEN 'withdrawn' THEN 'withdraw' WHEN 'rejected' THEN 'reject' WHEN 'reopened' THEN 'reopen'
           WHEN 'closed' THEN 'close' WHEN 'waited long enough' THEN 'wait_over' WHEN 'corrective action done' THEN 'carry_out'
           ELSE what END,
       coalesce(lag(state) OVER (PARTITION BY case_id ORDER BY number), state), state, at, recorded_at, false, actor, '',
       CASE WHEN starts_with(what, 'hold ') OR starts_with(what, 'era') THEN '{compliance}'::text[]
            WHEN what IN ('received', 'accepted', 'dispatched', 'investigating', 'fed back', 'waits for customer',
                          'waits for third_party', 'answered', 'promised', 'withdrawn', 'rejected', 'reopened', 'closed',
                          'waited long enough', 'demanded', 'demand withdrawn', 'suggested', 'suggestion adopted',
                          'complainant contacted', 'erased')
            THEN '{client,branch,centre}'::text[]
            ELSE '{branch,centre}'::text[] END,
       detail
FROM case_moves;
DROP TABLE case_moves;
