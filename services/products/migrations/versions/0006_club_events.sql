CREATE TABLE club_events (
	event_id UUID NOT NULL, 
	branch_id TEXT, 
	kind TEXT NOT NULL, 
	title_en TEXT NOT NULL, 
	title_zh TEXT NOT NULL, 
	place TEXT NOT NULL, 
	starts_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	ends_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	capacity INTEGER NOT NULL, 
	audience TEXT[] NOT NULL, 
	public BOOLEAN NOT NULL, 
	filing TEXT, 
	state TEXT NOT NULL, 
	made_by TEXT NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_club_events PRIMARY KEY (event_id), 
	CONSTRAINT ck_club_events_times CHECK (starts_at < ends_at)
);
CREATE INDEX ix_club_events_starts_at ON club_events (starts_at);
COMMENT ON COLUMN club_events.branch_id IS 'none: of the whole firm';
COMMENT ON COLUMN club_events.capacity IS 'seats, guests included';
COMMENT ON COLUMN club_events.audience IS 'social roles; none: everybody';
COMMENT ON COLUMN club_events.public IS 'open to others too: asks for a filing';
COMMENT ON COLUMN club_events.filing IS 'reference of the filing';
CREATE TABLE club_registrations (
	registration_id UUID NOT NULL, 
	event_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	guests INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	registered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	held_on DATE NOT NULL, 
	made_by TEXT NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_club_registrations PRIMARY KEY (registration_id)
);
CREATE INDEX ix_club_registrations_client_id ON club_registrations (client_id);
CREATE INDEX ix_club_registrations_event_id ON club_registrations (event_id);
CREATE UNIQUE INDEX uq_club_registrations_live ON club_registrations (event_id, client_id) WHERE state IN ('registered', 'waiting', 'attended');
COMMENT ON COLUMN club_registrations.held_on IS 'the day of the event';
CREATE TABLE hospitality (
	entry_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	kind TEXT NOT NULL, 
	fen BIGINT NOT NULL, 
	given_on DATE NOT NULL, 
	event_id UUID, 
	what TEXT NOT NULL, 
	state TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	decided_by TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_hospitality PRIMARY KEY (entry_id), 
	CONSTRAINT ck_hospitality_amount CHECK (fen > 0)
);
CREATE INDEX ix_hospitality_client_id_given_on ON hospitality (client_id, given_on);
CREATE INDEX ix_hospitality_given_on ON hospitality (given_on);
COMMENT ON COLUMN hospitality.kind IS 'gift, hospitality';
COMMENT ON COLUMN hospitality.fen IS 'hundredths of CNY';
CREATE TABLE professionals (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	until DATE, 
	category TEXT, 
	CONSTRAINT pk_professionals PRIMARY KEY (client_id, since)
);
CREATE TABLE professionals_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	told JSONB NOT NULL, 
	CONSTRAINT pk_professionals_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE professionals_changes IS 'what professionals is the fold of';
