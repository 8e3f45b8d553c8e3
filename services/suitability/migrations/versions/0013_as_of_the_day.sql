ALTER TABLE reviews ADD COLUMN decided_on date;
COMMENT ON COLUMN reviews.decided_on IS 'the business date of approval or rejection';
UPDATE reviews SET decided_on = CASE
    WHEN (SELECT timeline FROM timeline) = 'real' THEN (decided_at AT TIME ZONE 'Asia/Shanghai')::date
    ELSE least((decided_at AT TIME ZONE 'Asia/Shanghai')::date, (SELECT max(through) + 1 FROM closed_days)) END
WHERE state IN ('approved', 'rejected');
