INSERT INTO approvals (approval_id, kind, object, body, why, after, concerned, state, asked_by, asked_at, expires_at)
SELECT gen_random_uuid(), 'template', 'template/' || code || '/' || version, said, '', said, '{}', 'waiting', made_by, made_at,
       transaction_timestamp() + interval '30 days'
FROM (SELECT *, jsonb_build_object('code', code, 'version', version, 'title', body -> 'title', 'scheme', body -> 'scheme') AS said
      FROM templates WHERE state = 'draft') drafts;
