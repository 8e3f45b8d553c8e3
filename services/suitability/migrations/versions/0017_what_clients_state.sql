ALTER TABLE vulnerabilities ADD COLUMN vulnerable boolean NOT NULL DEFAULT false;
UPDATE vulnerabilities SET vulnerable = true WHERE cause IS NOT NULL;
ALTER TABLE vulnerabilities ALTER COLUMN vulnerable DROP DEFAULT;
COMMENT ON COLUMN vulnerabilities.vulnerable IS 'else no more';
COMMENT ON COLUMN vulnerabilities.cause IS 'sealed under the client''s key';
COMMENT ON COLUMN life_changes.change IS 'which, sealed under the client''s key';
ALTER TABLE drafts ADD COLUMN shown jsonb NOT NULL DEFAULT '{}';
UPDATE drafts SET shown = jsonb_build_object(shown_rank, saved_at) WHERE shown_rank IS NOT NULL;
ALTER TABLE drafts DROP COLUMN shown_rank;
COMMENT ON COLUMN drafts.shown IS 'levels shown before signing, as ranks in the firm''s scheme, each with when it last was';
COMMENT ON COLUMN drafts.opened_at IS 'when the questions were put, or the first save: the server measures from then';
CREATE TABLE openings (
    client_id text NOT NULL,
    template text NOT NULL,
    opened_at timestamptz NOT NULL,
    CONSTRAINT pk_openings PRIMARY KEY (client_id, template)
);
