CREATE INDEX ix_requests_not_arrived ON requests (changed_at)
    WHERE state IN ('expired', 'undelivered', 'unknown') AND reason <> 'no_receipt';
