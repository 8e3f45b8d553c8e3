ALTER TABLE mailings ADD COLUMN audience JSONB DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN mailings.audience IS 'groups, levels, tiers [MS18]';
