CREATE TABLE confirmation_links (
    link_id text NOT NULL,
    decision_id text NOT NULL,
    client_id text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    opens_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    used_at timestamptz,
    CONSTRAINT pk_confirmation_links PRIMARY KEY (link_id)
);
COMMENT ON COLUMN confirmation_links.ended_at IS 'used, or replaced by a newer one';
CREATE INDEX ix_confirmation_links_client_id ON confirmation_links (client_id);
CREATE INDEX ix_confirmation_links_decision_id ON confirmation_links (decision_id);
ALTER TABLE confirmations ADD COLUMN link_id text;
COMMENT ON COLUMN confirmations.link_id IS 'the link by which the client confirmed';
