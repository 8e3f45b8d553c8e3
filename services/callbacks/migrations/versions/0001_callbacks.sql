CREATE TABLE assessments (
    client_id TEXT NOT NULL,
    assessment_id TEXT NOT NULL,
    level TEXT NOT NULL,
    valid_from DATE NOT NULL,
    valid_until DATE NOT NULL,
    CONSTRAINT pk_assessments PRIMARY KEY (client_id, assessment_id)
);

CREATE INDEX ix_assessments_client_id_valid_from ON assessments (client_id, valid_from);

CREATE INDEX ix_assessments_valid_until ON assessments (valid_until);

CREATE TABLE attempts (
    attempt_id UUID NOT NULL,
    call_id UUID NOT NULL,
    task_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    topic TEXT NOT NULL,
    script TEXT NOT NULL,
    agent TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    on_day DATE NOT NULL,
    channel TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reached BOOLEAN NOT NULL,
    valid BOOLEAN NOT NULL,
    covers BOOLEAN NOT NULL,
    answers JSONB NOT NULL,
    evidence_id TEXT,
    failed_recording_approved_by TEXT,
    profile JSONB,
    notes TEXT,
    CONSTRAINT pk_attempts PRIMARY KEY (attempt_id)
);

CREATE INDEX ix_attempts_client_id_at ON attempts (client_id, at);

CREATE INDEX ix_attempts_on_day ON attempts (on_day);

CREATE INDEX ix_attempts_task_id_at ON attempts (task_id, at);

CREATE INDEX ix_covering ON attempts (client_id, on_day) WHERE covers;

COMMENT ON COLUMN attempts.call_id IS 'one call may serve several tasks';

COMMENT ON COLUMN attempts.profile IS 'fields the client changed, or {} for `no change` [B11]';

COMMENT ON COLUMN attempts.notes IS 'masked';

CREATE TABLE clients (
    client_id TEXT NOT NULL,
    branch_id TEXT,
    manager_id TEXT,
    opener_id TEXT,
    referrer_id TEXT,
    kind TEXT,
    opened_on DATE,
    closed_on DATE,
    account_status TEXT,
    experience_years INTEGER,
    birth_date DATE,
    name BYTEA,
    phone BYTEA,
    email BYTEA,
    address BYTEA,
    stamps JSONB DEFAULT '{}' NOT NULL,
    do_not_call BOOLEAN DEFAULT 'false' NOT NULL,
    no_marketing BOOLEAN DEFAULT 'false' NOT NULL,
    objects_to_viewing BOOLEAN DEFAULT 'false' NOT NULL,
    language TEXT DEFAULT 'zh-CN' NOT NULL,
    last_valid_contact TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_clients PRIMARY KEY (client_id)
);

CREATE INDEX ix_clients_manager_id ON clients (manager_id) WHERE manager_id IS NOT NULL;

CREATE INDEX ix_clients_opened_on ON clients (opened_on);

COMMENT ON COLUMN clients.account_status IS 'the regulatory status; `dormant` and `suspended` leave the 10 % base [B1]';

COMMENT ON COLUMN clients.name IS 'encrypted';

COMMENT ON COLUMN clients.phone IS 'encrypted';

COMMENT ON COLUMN clients.email IS 'encrypted';

COMMENT ON COLUMN clients.address IS 'encrypted';

COMMENT ON COLUMN clients.stamps IS '(ce_time, ce_id) of each field''s word';

COMMENT ON COLUMN clients.objects_to_viewing IS '[A16]';

COMMENT ON COLUMN clients.last_valid_contact IS 'two-way; resets the timer of A7a';

CREATE TABLE draw_members (
    draw_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    stratum TEXT NOT NULL,
    rank INTEGER NOT NULL,
    CONSTRAINT pk_draw_members PRIMARY KEY (draw_id, client_id)
);

CREATE TABLE draws (
    draw_id UUID NOT NULL,
    year INTEGER NOT NULL,
    as_of DATE NOT NULL,
    seed TEXT NOT NULL,
    population INTEGER NOT NULL,
    population_digest TEXT NOT NULL,
    wanted JSONB NOT NULL,
    policy TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    made_by TEXT NOT NULL,
    CONSTRAINT pk_draws PRIMARY KEY (draw_id)
);

COMMENT ON COLUMN draws.wanted IS 'by stratum: clients in it, already covered, drawn';

CREATE TABLE evidence (
    evidence_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT,
    media_type TEXT,
    size_bytes BIGINT,
    stored_at TIMESTAMP WITH TIME ZONE NOT NULL,
    stored_by TEXT NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (evidence_id, client_id)
);

COMMENT ON COLUMN evidence.evidence_id IS 'SHA-256 of the content, or of the reference';

COMMENT ON COLUMN evidence.kind IS 'recording, letter, survey, visit, screenshot, approval';

COMMENT ON COLUMN evidence.reference IS 'of a recording kept by the phone system';

CREATE TABLE findings (
    finding_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    task_id UUID,
    attempt_id UUID,
    kind TEXT NOT NULL,
    question TEXT,
    concerned TEXT[] NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    raised_by TEXT NOT NULL,
    notes TEXT,
    CONSTRAINT pk_findings PRIMARY KEY (finding_id)
);

CREATE INDEX ix_findings_raised_at ON findings (raised_at);

CREATE TABLE late (
    client_id TEXT NOT NULL,
    CONSTRAINT pk_late PRIMARY KEY (client_id)
);

COMMENT ON TABLE late IS 'clients whose owed tasks are compared again with what the facts say';

CREATE TABLE messages (
    message_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    language TEXT NOT NULL,
    marketing BOOLEAN DEFAULT 'false' NOT NULL,
    inputs JSONB DEFAULT '{}' NOT NULL,
    planned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    limit_at TIMESTAMP WITH TIME ZONE,
    state TEXT NOT NULL,
    tries SMALLINT DEFAULT '0' NOT NULL,
    leased_until TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    template TEXT,
    body_sha256 TEXT,
    receipt TEXT,
    reason TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (message_id)
);

CREATE INDEX ix_messages_client_id ON messages (client_id);

CREATE INDEX ix_messages_due ON messages (due_at) WHERE state IN ('planned', 'sending');

CREATE INDEX ix_messages_receipt ON messages (receipt) WHERE receipt IS NOT NULL;

COMMENT ON COLUMN messages.message_id IS 'UUIDv5 of kind, client and period';

COMMENT ON COLUMN messages.due_at IS 'not sent before';

COMMENT ON COLUMN messages.limit_at IS 'not sent after';

COMMENT ON COLUMN messages.state IS 'planned, sending, sent, delivered, undeliverable, skipped, missed';

COMMENT ON COLUMN messages.body_sha256 IS 'of what was sent: the words themselves can be made again from the template';

COMMENT ON COLUMN messages.receipt IS 'the provider''s own reference';

CREATE TABLE moments (
    moment_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    code TEXT NOT NULL,
    on_day DATE NOT NULL,
    mandatory BOOLEAN NOT NULL,
    due_on DATE NOT NULL,
    done_on DATE,
    done_by TEXT,
    reaction TEXT,
    CONSTRAINT pk_moments PRIMARY KEY (moment_id)
);

CREATE INDEX ix_moments_client_id ON moments (client_id);

CREATE INDEX ix_moments_open ON moments (due_on) WHERE mandatory AND done_on IS NULL;

CREATE TABLE publications (
    branch_id TEXT NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    responsible TEXT NOT NULL,
    confirmed_on DATE NOT NULL,
    CONSTRAINT pk_publications PRIMARY KEY (branch_id, what)
);

COMMENT ON COLUMN publications.what IS 'phone, mailbox, address, licence, staff list ... [B17]';

CREATE TABLE reviews (
    attempt_id UUID NOT NULL,
    agent TEXT NOT NULL,
    topic TEXT NOT NULL,
    branch_id TEXT,
    risk JSONB NOT NULL,
    sampled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    phrases JSONB NOT NULL,
    reviewer TEXT,
    reviewed_at TIMESTAMP WITH TIME ZONE,
    score SMALLINT,
    accepted BOOLEAN,
    notes TEXT,
    CONSTRAINT pk_reviews PRIMARY KEY (attempt_id)
);

CREATE INDEX ix_reviews_open ON reviews (sampled_at) WHERE reviewer IS NULL;

COMMENT ON COLUMN reviews.risk IS 'why it was sampled';

COMMENT ON COLUMN reviews.phrases IS 'banned phrases found';

CREATE TABLE revisions (
    client_id TEXT NOT NULL,
    what TEXT NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT pk_revisions PRIMARY KEY (client_id, what)
);

COMMENT ON COLUMN revisions.what IS 'tier, groups';

CREATE TABLE standings (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    branch_id TEXT,
    manager_id TEXT,
    account_status TEXT,
    CONSTRAINT pk_standings PRIMARY KEY (client_id, since)
);

CREATE TABLE steps (
    partition INTEGER NOT NULL,
    number BIGINT NOT NULL,
    task_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    on_day DATE NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail JSONB NOT NULL,
    policy TEXT,
    CONSTRAINT pk_steps PRIMARY KEY (partition, number)
);

CREATE INDEX ix_steps_task_id_number ON steps (task_id, number);

COMMENT ON COLUMN steps.on_day IS 'the business date it counts from';

CREATE TABLE tag_stretches (
    client_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE,
    baseline BOOLEAN DEFAULT 'false' NOT NULL,
    CONSTRAINT pk_tag_stretches PRIMARY KEY (client_id, tag, since)
);

CREATE INDEX ix_core ON tag_stretches (client_id) WHERE tag = 'CORE';

CREATE INDEX ix_tag_stretches_since ON tag_stretches (since);

COMMENT ON COLUMN tag_stretches.until IS 'exclusive; empty when open';

COMMENT ON COLUMN tag_stretches.baseline IS 'causes no task [K7]';

CREATE TABLE tasks (
    task_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    period TEXT NOT NULL,
    topic TEXT NOT NULL,
    queue TEXT NOT NULL,
    script TEXT NOT NULL,
    priority SMALLINT NOT NULL,
    branch_id TEXT,
    created_on DATE NOT NULL,
    found_on DATE NOT NULL,
    target_on DATE,
    alarm_on DATE,
    due_on DATE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    policy TEXT NOT NULL,
    cause JSONB NOT NULL,
    concerned TEXT[] DEFAULT '{}' NOT NULL,
    restricted BOOLEAN DEFAULT 'false' NOT NULL,
    subject TEXT,
    state TEXT DEFAULT 'planned' NOT NULL,
    revision INTEGER DEFAULT '1' NOT NULL,
    owner TEXT,
    passes_on_at TIMESTAMP WITH TIME ZONE,
    holder TEXT,
    held_since TIMESTAMP WITH TIME ZONE,
    lease_until TIMESTAMP WITH TIME ZONE,
    not_before TIMESTAMP WITH TIME ZONE,
    wish BOOLEAN DEFAULT 'false' NOT NULL,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    channel TEXT DEFAULT 'phone' NOT NULL,
    outcome TEXT,
    ended_on DATE,
    CONSTRAINT pk_tasks PRIMARY KEY (task_id),
    CONSTRAINT ck_tasks_held CHECK ((holder IS NOT NULL) = (state IN ('assigned', 'attempting', 'reached')))
)
 WITH (fillfactor = 80);

CREATE INDEX ix_tasks_callable ON tasks (queue, branch_id, priority, due_on, task_id) WHERE state IN ('planned', 'rescheduled');

CREATE INDEX ix_tasks_client_id_rule ON tasks (client_id, rule);

CREATE INDEX ix_tasks_due ON tasks (due_on) WHERE state IN ('planned', 'assigned', 'attempting', 'reached', 'rescheduled', 'exhausted');

CREATE INDEX ix_tasks_held ON tasks (holder) WHERE holder IS NOT NULL;

CREATE INDEX ix_tasks_unplaced ON tasks (client_id) WHERE branch_id IS NULL;

COMMENT ON COLUMN tasks.task_id IS 'UUIDv5 of rule, client and period';

COMMENT ON COLUMN tasks.script IS 'the version frozen when the task was made [B9]';

COMMENT ON COLUMN tasks.found_on IS 'the closed day (or day of arrival) whose facts owe it';

COMMENT ON COLUMN tasks.cause IS 'why: the facts it was made from';

COMMENT ON COLUMN tasks.concerned IS 'persons it is hidden from [B5, C28]';

COMMENT ON COLUMN tasks.restricted IS 'for compliance only [B6]';

COMMENT ON COLUMN tasks.subject IS 'what it is about: a case, a call, a booking';

COMMENT ON COLUMN tasks.owner IS 'theirs alone until `passes_on_at`';

COMMENT ON COLUMN tasks.wish IS 'not_before is the client''s own word';

CREATE TABLE tier_stretches (
    client_id TEXT NOT NULL,
    since DATE NOT NULL,
    rank SMALLINT NOT NULL,
    before SMALLINT NOT NULL,
    CONSTRAINT pk_tier_stretches PRIMARY KEY (client_id, since)
);

CREATE INDEX ix_tier_stretches_since ON tier_stretches (since);

COMMENT ON COLUMN tier_stretches.before IS 'the rank until then';
