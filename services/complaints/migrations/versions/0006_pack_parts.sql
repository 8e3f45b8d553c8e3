CREATE TABLE pack_parts (
    pack_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_pack_parts PRIMARY KEY (pack_id, number)
);
COMMENT ON TABLE pack_parts IS 'the bytes of archives, a part at a time';
INSERT INTO pack_parts (pack_id, number, content)
SELECT p.pack_id, n, substring(p.bundle FROM n * 1048576 + 1 FOR 1048576)
FROM packs p CROSS JOIN LATERAL generate_series(0, (octet_length(p.bundle) - 1) / 1048576) n;
ALTER TABLE packs DROP COLUMN bundle;
ALTER TABLE pack_parts ALTER COLUMN content SET STORAGE EXTERNAL;
