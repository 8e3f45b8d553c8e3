CREATE TABLE attachment_parts (
    sha256 TEXT NOT NULL,
    number INTEGER NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_attachment_parts PRIMARY KEY (sha256, number)
);
COMMENT ON TABLE attachment_parts IS 'the bytes of attachments, a part at a time';
INSERT INTO attachment_parts (sha256, number, content)
SELECT a.sha256, n, substring(a.content FROM n * 1048576 + 1 FOR 1048576)
FROM attachments a CROSS JOIN LATERAL generate_series(0, (a.size - 1) / 1048576) n;
ALTER TABLE attachments DROP COLUMN content;
-- Recordings and photos are compressed already.
ALTER TABLE attachment_parts ALTER COLUMN content SET STORAGE EXTERNAL;

DROP TABLE holds;
CREATE TABLE holds (
    hold_id UUID NOT NULL,
    case_id UUID NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    release_asked_by TEXT,
    release_asked_at TIMESTAMP WITH TIME ZONE,
    release_reason TEXT,
    released_by TEXT,
    released_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_holds PRIMARY KEY (hold_id),
    CONSTRAINT ck_holds_two_persons CHECK (released_by IS DISTINCT FROM release_asked_by OR released_by IS NULL)
);
COMMENT ON TABLE holds IS 'a legal hold wins over retention: one person places it, two lift it [C21]';
CREATE INDEX ix_holds_case_id ON holds (case_id);

CREATE TABLE erasures (
    erasure_id UUID NOT NULL,
    case_id UUID NOT NULL,
    reason TEXT NOT NULL,
    state TEXT DEFAULT 'asked' NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by TEXT,
    decided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_erasures PRIMARY KEY (erasure_id),
    CONSTRAINT ck_erasures_two_persons CHECK (decided_by IS DISTINCT FROM asked_by)
);
COMMENT ON TABLE erasures IS 'what was asked to be erased once its retention is over, and decided by another [C21]';
COMMENT ON COLUMN erasures.state IS 'asked, erased, refused';
CREATE INDEX ix_erasures_case_id ON erasures (case_id);
CREATE UNIQUE INDEX uq_erasures_open ON erasures (case_id) WHERE state = 'asked';

ALTER TABLE cases ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN cases.erased_at IS 'what was said and who said it is gone; that there was a case stays [C21]';
