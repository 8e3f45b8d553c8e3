CREATE TABLE tag_stretches_changes (
    client_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed_from DATE NOT NULL,
    told JSONB NOT NULL,
    CONSTRAINT pk_tag_stretches_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE tag_stretches_changes IS 'what tag_stretches is the fold of';
CREATE TABLE tier_stretches_changes (
    client_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed_from DATE NOT NULL,
    told JSONB NOT NULL,
    CONSTRAINT pk_tier_stretches_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE tier_stretches_changes IS 'what tier_stretches is the fold of';
INSERT INTO tag_stretches_changes SELECT r.client_id, r.revision, '-infinity', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(tag, since, until, baseline)), '[]') FROM tag_stretches t
        WHERE t.client_id = r.client_id) FROM revisions r WHERE what = 'groups';
INSERT INTO tier_stretches_changes SELECT r.client_id, r.revision, '-infinity', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(since, rank, before)), '[]') FROM tier_stretches t
        WHERE t.client_id = r.client_id) FROM revisions r WHERE what = 'tier';
DROP TABLE revisions;
