CREATE TABLE accountability (
    accountability_id UUID NOT NULL,
    case_id UUID NOT NULL,
    cause TEXT NOT NULL,
    against TEXT[] NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    summary TEXT,
    root_cause TEXT,
    plan TEXT,
    plan_owner TEXT,
    due_on DATE,
    circular TEXT,
    measure TEXT,
    done_at TIMESTAMP WITH TIME ZONE,
    done_by TEXT,
    CONSTRAINT pk_accountability PRIMARY KEY (accountability_id)
);

CREATE INDEX ix_accountability_case_id ON accountability (case_id);

CREATE UNIQUE INDEX uq_accountability_once ON accountability (case_id, cause);

COMMENT ON TABLE accountability IS '责任追究 [C14]';

COMMENT ON COLUMN accountability.cause IS 'upheld, refused_before, late_before';

COMMENT ON COLUMN accountability.plan IS 'corrective action';

COMMENT ON COLUMN accountability.circular IS '通报';

COMMENT ON COLUMN accountability.measure IS 'criticism or penalty by severity [C14]';

CREATE TABLE alarms (
    alarm_id UUID NOT NULL,
    dimension TEXT NOT NULL,
    value TEXT NOT NULL,
    opened_on DATE NOT NULL,
    last_on DATE NOT NULL,
    cases INTEGER NOT NULL,
    root_cause TEXT,
    action TEXT,
    owner TEXT,
    due_on DATE,
    reviewed_by TEXT,
    reviewed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_alarms PRIMARY KEY (alarm_id)
);

CREATE INDEX ix_alarms_last_on ON alarms (last_on);

CREATE UNIQUE INDEX uq_alarms_opened ON alarms (dimension, value, opened_on);

COMMENT ON COLUMN alarms.last_on IS 'the last day with a case; quiet for seven days: over';

CREATE TABLE attachments (
    sha256 TEXT NOT NULL,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    content BYTEA NOT NULL,
    stored_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_attachments PRIMARY KEY (sha256)
);

COMMENT ON COLUMN attachments.type IS 'what the bytes are, whatever was claimed';

CREATE TABLE case_attachments (
    case_id UUID NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    by TEXT NOT NULL,
    CONSTRAINT pk_case_attachments PRIMARY KEY (case_id, sha256)
);

COMMENT ON COLUMN case_attachments.role IS 'recording, letter, photo, other';

CREATE TABLE case_moves (
    case_id UUID NOT NULL,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    what TEXT NOT NULL,
    state TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    detail JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_case_moves PRIMARY KEY (case_id, number)
);

COMMENT ON COLUMN case_moves.state IS 'the state from here on';

CREATE TABLE case_words (
    case_id UUID NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    grams TEXT[] NOT NULL,
    CONSTRAINT pk_case_words PRIMARY KEY (case_id)
);

CREATE INDEX ix_case_words_grams ON case_words USING gin (grams);

COMMENT ON TABLE case_words IS 'pairs of Chinese characters and whole Latin words of the masked text: two-character words are found whole';

COMMENT ON COLUMN case_words.received_at IS 'as the case''s: results are cut newest first';

CREATE TABLE cases (
    case_id UUID NOT NULL,
    system TEXT NOT NULL,
    external_ref TEXT,
    client_id TEXT,
    key TEXT NOT NULL,
    branch_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    channel TEXT NOT NULL,
    flow TEXT NOT NULL,
    severity TEXT NOT NULL,
    category TEXT DEFAULT '' NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    offered_to TEXT,
    generation INTEGER DEFAULT '1' NOT NULL,
    level INTEGER DEFAULT '0' NOT NULL,
    revision INTEGER DEFAULT '1' NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_on DATE NOT NULL,
    dispatch_due TIMESTAMP WITH TIME ZONE,
    dispatched_at TIMESTAMP WITH TIME ZONE,
    dispatch_met BOOLEAN,
    dispatch_wanted_at TIMESTAMP WITH TIME ZONE,
    due_on DATE,
    words TEXT DEFAULT '' NOT NULL,
    original BYTEA,
    product TEXT,
    employee TEXT,
    script TEXT,
    claim NUMERIC,
    allegations TEXT[] DEFAULT '{}' NOT NULL,
    complainants INTEGER DEFAULT '1' NOT NULL,
    regulator_ref TEXT,
    reply_due_on DATE,
    concerned TEXT[] DEFAULT '{}' NOT NULL,
    restricted BOOLEAN DEFAULT 'false' NOT NULL,
    imported BOOLEAN DEFAULT 'false' NOT NULL,
    attributes JSONB DEFAULT '{}' NOT NULL,
    contact_channel TEXT,
    priority BOOLEAN DEFAULT 'false' NOT NULL,
    outcome TEXT,
    upheld BOOLEAN,
    closed_at TIMESTAMP WITH TIME ZONE,
    opened_by TEXT NOT NULL,
    fingerprint BYTEA,
    CONSTRAINT pk_cases PRIMARY KEY (case_id),
    CONSTRAINT ck_cases_state CHECK (state IN ('received', 'accepted', 'dispatched', 'investigating', 'awaiting_customer', 'awaiting_third_party', 'feedback_submitted', 'satisfaction_call', 'closed', 'withdrawn', 'rejected', 'reopened'))
);

CREATE INDEX ix_cases_client ON cases (client_id) WHERE client_id IS NOT NULL;

CREATE INDEX ix_cases_key_state ON cases (key) WHERE state = 'satisfaction_call';

CREATE INDEX ix_cases_newest ON cases (received_at, case_id);

CREATE INDEX ix_cases_newest_of_branch ON cases (branch_id, received_at, case_id);

CREATE INDEX ix_cases_owner ON cases (owner) WHERE closed_at IS NULL;

CREATE INDEX ix_cases_received_on ON cases (received_on);

CREATE INDEX ix_cases_regulator_ref ON cases (regulator_ref) WHERE regulator_ref IS NOT NULL;

CREATE INDEX ix_cases_waiting ON cases (branch_id) WHERE dispatch_wanted_at IS NOT NULL;

CREATE UNIQUE INDEX uq_cases_external ON cases (system, external_ref) WHERE external_ref IS NOT NULL;

COMMENT ON COLUMN cases.external_ref IS 'the other system''s own number; empty for cases opened here';

COMMENT ON COLUMN cases.key IS 'client id, or case:ID [C29]';

COMMENT ON COLUMN cases.kind IS 'complaint, suggestion, enquiry, conduct';

COMMENT ON COLUMN cases.flow IS 'fixed at intake [C3]';

COMMENT ON COLUMN cases.owner IS 'somebody at every instant [C8]';

COMMENT ON COLUMN cases.offered_to IS 'a hand-over that waits for acceptance';

COMMENT ON COLUMN cases.level IS '0 branch, 1 centre, 2 compliance [C11]';

COMMENT ON COLUMN cases.dispatch_due IS '24:00 of the day of receipt; empty: no order is owed [C4]';

COMMENT ON COLUMN cases.dispatch_wanted_at IS 'an order read before the branch''s seats are known';

COMMENT ON COLUMN cases.due_on IS 'the day the result clock ends';

COMMENT ON COLUMN cases.words IS 'masked at intake [C29]';

COMMENT ON COLUMN cases.original IS 'encrypted';

COMMENT ON COLUMN cases.concerned IS 'persons named in it [C28]';

COMMENT ON COLUMN cases.attributes IS 'an import''s own columns, as given';

COMMENT ON COLUMN cases.contact_channel IS 'how the complainant wants to hear of it [C25]';

COMMENT ON COLUMN cases.priority IS 'the VIP line [C18]';

COMMENT ON COLUMN cases.fingerprint IS 'of the fact it was opened by: the same one again is a repeat';

CREATE TABLE clients (
    client_id TEXT NOT NULL,
    branch_id TEXT,
    manager_id TEXT,
    stamp TIMESTAMP WITH TIME ZONE NOT NULL,
    event_id TEXT NOT NULL,
    CONSTRAINT pk_clients PRIMARY KEY (client_id)
);

CREATE TABLE contacts (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    case_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    by TEXT NOT NULL,
    channel TEXT NOT NULL,
    about TEXT NOT NULL,
    recording TEXT,
    CONSTRAINT pk_contacts PRIMARY KEY (id)
);

CREATE INDEX ix_contacts_case_id ON contacts (case_id);

COMMENT ON TABLE contacts IS 'every contact with the complainant [C25]';

CREATE TABLE demands (
    demand_id UUID NOT NULL,
    case_id UUID NOT NULL,
    what TEXT NOT NULL,
    amount NUMERIC,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    withdrawn_by TEXT,
    reason TEXT,
    CONSTRAINT pk_demands PRIMARY KEY (demand_id)
);

CREATE INDEX ix_demands_case_id ON demands (case_id);

COMMENT ON COLUMN demands.withdrawn_at IS 'the record stays [C13]';

CREATE TABLE deviations (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    case_id UUID NOT NULL,
    what TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    approved_by TEXT,
    approved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_deviations PRIMARY KEY (id),
    CONSTRAINT ck_deviations_two_persons CHECK (approved_by IS DISTINCT FROM asked_by)
);

CREATE INDEX ix_deviations_case_id ON deviations (case_id);

COMMENT ON TABLE deviations IS '特殊情况特殊处理 [C19]';

CREATE TABLE holds (
    case_id UUID NOT NULL,
    reason TEXT NOT NULL,
    by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    released_at TIMESTAMP WITH TIME ZONE,
    version SMALLINT DEFAULT '1' NOT NULL,
    CONSTRAINT pk_holds PRIMARY KEY (case_id)
);

COMMENT ON TABLE holds IS 'a legal hold wins over retention [C21]';

CREATE TABLE links (
    case_id UUID NOT NULL,
    other_id UUID NOT NULL,
    relation TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    by TEXT NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_links PRIMARY KEY (case_id, other_id, relation)
);

CREATE INDEX ix_links_other_id ON links (other_id);

COMMENT ON COLUMN links.relation IS 'same_matter, member_of, refused_before';

CREATE TABLE nil_reports (
    branch_id TEXT NOT NULL,
    month DATE NOT NULL,
    filed_by TEXT NOT NULL,
    filed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_nil_reports PRIMARY KEY (branch_id, month)
);

CREATE TABLE notices (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY,
    case_id UUID NOT NULL,
    generation INTEGER NOT NULL,
    clock TEXT NOT NULL,
    step TEXT NOT NULL,
    "to" TEXT NOT NULL,
    seat TEXT NOT NULL,
    path TEXT[] DEFAULT '{}' NOT NULL,
    for_conflict BOOLEAN DEFAULT 'false' NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    acknowledged_by TEXT,
    CONSTRAINT pk_notices PRIMARY KEY (id)
);

CREATE INDEX ix_notices_open ON notices ("to") WHERE acknowledged_at IS NULL;

CREATE UNIQUE INDEX uq_notices_once ON notices (case_id, generation, clock, step, "to", seat);

COMMENT ON COLUMN notices.path IS 'who was passed over, the one found last';

CREATE TABLE packs (
    pack_id TEXT NOT NULL,
    period TEXT NOT NULL,
    cut_off TIMESTAMP WITH TIME ZONE NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    made_by TEXT NOT NULL,
    manifest_sha256 TEXT NOT NULL,
    bundle BYTEA NOT NULL,
    sign_off_due DATE NOT NULL,
    signed_off_by TEXT,
    signed_off_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_packs PRIMARY KEY (pack_id)
);

COMMENT ON COLUMN packs.sign_off_due IS 'the 3rd working day [C15]';

CREATE TABLE pre_complaints (
    id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    heard_at TIMESTAMP WITH TIME ZONE NOT NULL,
    heard_by TEXT NOT NULL,
    mood TEXT NOT NULL,
    words TEXT NOT NULL,
    signal TEXT,
    CONSTRAINT pk_pre_complaints PRIMARY KEY (id)
);

CREATE INDEX ix_pre_complaints_client_id ON pre_complaints (client_id);

COMMENT ON TABLE pre_complaints IS '抱怨 [A33]';

COMMENT ON COLUMN pre_complaints.signal IS 'churn when it made one [A33]';

CREATE TABLE radar_due (
    day DATE NOT NULL,
    CONSTRAINT pk_radar_due PRIMARY KEY (day)
);

COMMENT ON TABLE radar_due IS 'closed days whose clusters late cases may have changed';

CREATE TABLE reception_days (
    branch_id TEXT NOT NULL,
    day DATE NOT NULL,
    leader TEXT NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    published_by TEXT NOT NULL,
    CONSTRAINT pk_reception_days PRIMARY KEY (branch_id, day)
);

COMMENT ON TABLE reception_days IS '领导接待日 [C16]';

CREATE TABLE reception_visits (
    id UUID NOT NULL,
    branch_id TEXT NOT NULL,
    day DATE NOT NULL,
    visitor BYTEA,
    matter TEXT NOT NULL,
    outcome TEXT,
    case_id UUID,
    recorded_by TEXT NOT NULL,
    CONSTRAINT pk_reception_visits PRIMARY KEY (id)
);

CREATE INDEX ix_reception_visits_branch_id_day ON reception_visits (branch_id, day);

COMMENT ON COLUMN reception_visits.visitor IS 'encrypted';

CREATE TABLE redress (
    redress_id UUID NOT NULL,
    case_id UUID NOT NULL,
    amount NUMERIC NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT DEFAULT 'proposed' NOT NULL,
    checked_by TEXT,
    checked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_redress PRIMARY KEY (redress_id),
    CONSTRAINT ck_redress_positive CHECK (amount > 0),
    CONSTRAINT ck_redress_two_persons CHECK (checked_by IS DISTINCT FROM made_by)
);

CREATE INDEX ix_redress_case_id ON redress (case_id);

CREATE TABLE suggestions (
    suggestion_id UUID NOT NULL,
    case_id UUID NOT NULL,
    words TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recorded_by TEXT NOT NULL,
    adopted_at TIMESTAMP WITH TIME ZONE,
    adopted_by TEXT,
    CONSTRAINT pk_suggestions PRIMARY KEY (suggestion_id)
);

CREATE INDEX ix_suggestions_case_id ON suggestions (case_id);

COMMENT ON TABLE suggestions IS '意见及建议 [C12]';

CREATE TABLE tickets (
    case_id UUID NOT NULL,
    generation INTEGER NOT NULL,
    branch_id TEXT NOT NULL,
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    issued_by TEXT NOT NULL,
    addressees JSONB NOT NULL,
    phone_due TIMESTAMP WITH TIME ZONE,
    phoned_at TIMESTAMP WITH TIME ZONE,
    phoned_by TEXT,
    phoned_to TEXT,
    phone_recording TEXT,
    solutions JSONB DEFAULT '[]' NOT NULL,
    facts TEXT,
    responsible TEXT,
    action TEXT,
    reaction TEXT,
    fed_back_at TIMESTAMP WITH TIME ZONE,
    fed_back_by TEXT,
    CONSTRAINT pk_tickets PRIMARY KEY (case_id, generation)
);

COMMENT ON TABLE tickets IS '投诉督办单';

COMMENT ON COLUMN tickets.addressees IS 'for each seat who received it, and for whom [C5]';

COMMENT ON COLUMN tickets.phone_due IS 'the general manager is told by phone the same day [C4]';

COMMENT ON COLUMN tickets.solutions IS 'what centre and branch agreed [C10]';
