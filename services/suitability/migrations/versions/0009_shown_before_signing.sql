ALTER TABLE drafts ADD COLUMN opened_at timestamptz, ADD COLUMN shown_rank smallint;
COMMENT ON COLUMN drafts.opened_at IS 'of the first save: from then on the server measures';
COMMENT ON COLUMN drafts.shown_rank IS 'the lowest level shown before signing, as a rank in the firm''s scheme';
ALTER TABLE submissions ADD COLUMN measured_seconds integer;
COMMENT ON COLUMN submissions.measured_seconds IS 'since its draft was opened, by the server';
