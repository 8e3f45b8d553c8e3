CREATE TABLE contacts (
	contact_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	source TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	person TEXT, 
	channel TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	two_way BOOLEAN NOT NULL, 
	valid BOOLEAN NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	day DATE NOT NULL, 
	outcome TEXT, 
	mood TEXT, 
	grumble BOOLEAN NOT NULL, 
	topics TEXT[] NOT NULL, 
	words TEXT, 
	flags TEXT[] NOT NULL, 
	entered_by TEXT, 
	entered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_contacts PRIMARY KEY (contact_id)
);
CREATE INDEX ix_contacts_client_id ON contacts (client_id, at DESC, contact_id DESC);
CREATE INDEX ix_contacts_flagged ON contacts (day) WHERE flags <> '{}';
CREATE INDEX ix_contacts_person_day ON contacts (person, day);
CREATE INDEX ix_contacts_valid ON contacts (client_id, at DESC) WHERE valid AND two_way;
COMMENT ON COLUMN contacts.source IS 'the service that tells, broker, visits, or staff: entered by hand';
COMMENT ON COLUMN contacts.ref IS 'its id there';
COMMENT ON COLUMN contacts.person IS 'who was in contact; none: a system';
COMMENT ON COLUMN contacts.direction IS 'in, out';
COMMENT ON COLUMN contacts.valid IS 'identity was verified and they talked [B3]';
COMMENT ON COLUMN contacts.mood IS 'calm, annoyed, angry';
COMMENT ON COLUMN contacts.grumble IS 'they grumbled without complaining [A33]';
COMMENT ON COLUMN contacts.words IS 'masked';
COMMENT ON COLUMN contacts.flags IS 'late, banned:PHRASE, forbidden:WORD, order:WORD';
COMMENT ON COLUMN contacts.entered_at IS 'when it was entered, or heard';
CREATE TABLE visits (
	visit_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	person TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	state TEXT NOT NULL, 
	begun_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	asked_by TEXT, 
	planned_for TIMESTAMP WITH TIME ZONE, 
	refused TEXT, 
	prepared TEXT[] DEFAULT '{}' NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE, 
	emergency TEXT, 
	record JSONB, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_visits PRIMARY KEY (visit_id), 
	CONSTRAINT ck_visits_state CHECK (state IN ('planned', 'refused', 'appointed', 'prepared', 'recorded', 'cancelled'))
);
CREATE INDEX ix_visits_client_id_visit_id ON visits (client_id, visit_id);
CREATE INDEX ix_visits_person_made_at ON visits (person, made_at);
COMMENT ON COLUMN visits.person IS 'who visits';
COMMENT ON COLUMN visits.asked_by IS 'how the appointment was asked for';
COMMENT ON COLUMN visits.planned_for IS 'the time the client agreed to';
COMMENT ON COLUMN visits.refused IS 'why the client would not';
COMMENT ON COLUMN visits.prepared IS 'points of the preparation';
COMMENT ON COLUMN visits.emergency IS 'why there was no time for an appointment or a preparation';
COMMENT ON COLUMN visits.record IS 'place, content, improvement, assessment';
CREATE TABLE activity_plans (
	person TEXT NOT NULL, 
	period TEXT NOT NULL, 
	begins DATE NOT NULL, 
	visits INTEGER NOT NULL, 
	calls INTEGER NOT NULL, 
	on_site INTEGER NOT NULL, 
	new_clients INTEGER NOT NULL, 
	words TEXT, 
	entered_by TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_activity_plans PRIMARY KEY (person, period, begins), 
	CONSTRAINT ck_activity_plans_period CHECK (period IN ('day', 'week', 'month'))
);
CREATE TABLE day_notes (
	person TEXT NOT NULL, 
	day DATE NOT NULL, 
	words TEXT NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_day_notes PRIMARY KEY (person, day)
);
