ALTER TABLE reviews ADD COLUMN superseded_by text;
COMMENT ON COLUMN reviews.superseded_by IS 'the newer answers or assessment';
COMMENT ON COLUMN reviews.state IS 'open, approved, rejected, superseded';
UPDATE reviews r SET state = 'superseded', decided_at = n.at, superseded_by = n.id
FROM submissions s, LATERAL (
    SELECT id, at FROM (
        SELECT x.submission_id AS id, x.submitted_at AS at FROM submissions x WHERE x.client_id = s.client_id
        UNION ALL
        SELECT a.assessment_id, a.assessed_at FROM assessments a WHERE a.client_id = s.client_id AND a.source = 'imported') newer
    WHERE at > s.submitted_at ORDER BY at LIMIT 1) n
WHERE r.state = 'open' AND r.submission_id = s.submission_id;
