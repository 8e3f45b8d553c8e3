CREATE INDEX ix_cases_queue ON cases (branch_id, received_at) WHERE state IN ('received', 'reopened');
