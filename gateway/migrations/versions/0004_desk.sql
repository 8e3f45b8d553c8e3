CREATE TABLE saved_views (
    view_id UUID NOT NULL,
    page TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    person TEXT NOT NULL,
    team TEXT,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_saved_views PRIMARY KEY (view_id)
);

COMMENT ON COLUMN saved_views.page IS 'the list: /callbacks, ...';
COMMENT ON COLUMN saved_views.query IS 'the filters as they stand in the address';
COMMENT ON COLUMN saved_views.team IS 'the branch whose people share it, or HQ; empty: it is one''s own';

CREATE INDEX ix_saved_views_page ON saved_views (page);

CREATE TABLE snoozes (
    person TEXT NOT NULL,
    item TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    due TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_snoozes PRIMARY KEY (person, item),
    CONSTRAINT ck_snoozes_not_past_due CHECK (until <= due)
);

COMMENT ON COLUMN snoozes.item IS 'where it is: /callbacks/ID, ...';

CREATE TABLE presence (
    object TEXT NOT NULL,
    person TEXT NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_presence PRIMARY KEY (object, person)
);

COMMENT ON COLUMN presence.object IS 'the page somebody has open';
