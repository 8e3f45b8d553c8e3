CREATE TABLE questions (
	question_id UUID NOT NULL, 
	client_id TEXT, 
	visitor TEXT, 
	branch_id TEXT, 
	zone TEXT NOT NULL, 
	through TEXT NOT NULL, 
	words TEXT NOT NULL, 
	own BOOLEAN NOT NULL, 
	first_asked TEXT, 
	asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	due TIMESTAMP WITH TIME ZONE NOT NULL, 
	handed_to TEXT, 
	lead TEXT NOT NULL, 
	state TEXT NOT NULL, 
	answer TEXT, 
	answered_by TEXT, 
	answered_at TIMESTAMP WITH TIME ZONE, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_questions PRIMARY KEY (question_id), 
	CONSTRAINT ck_questions_state CHECK (state IN ('open', 'answered', 'withdrawn')), 
	CONSTRAINT ck_questions_whose CHECK (client_id IS NOT NULL OR visitor IS NOT NULL)
);
CREATE INDEX ix_questions_client_id_asked_at ON questions (client_id, asked_at);
CREATE INDEX ix_questions_open ON questions (branch_id, due) WHERE state = 'open';
COMMENT ON COLUMN questions.client_id IS 'none: a visitor''s';
COMMENT ON COLUMN questions.visitor IS 'how the site or the desk names a visitor';
COMMENT ON COLUMN questions.zone IS 'business: anybody''s; investment: of clients who trade';
COMMENT ON COLUMN questions.words IS 'masked';
COMMENT ON COLUMN questions.own IS 'asked by the client, signed in';
COMMENT ON COLUMN questions.first_asked IS 'who was asked first, where somebody was [C8]';
COMMENT ON COLUMN questions.due IS 'until when it is to be answered';
COMMENT ON COLUMN questions.handed_to IS 'who answers it in place of who looks after the client';
COMMENT ON COLUMN questions.lead IS 'who leads the branch''s pool: whose it is where no client has an owner';
COMMENT ON COLUMN questions.answer IS 'masked';
CREATE TABLE receptions (
	reception_id UUID NOT NULL, 
	contact_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	day DATE NOT NULL, 
	first_asked TEXT NOT NULL, 
	own BOOLEAN NOT NULL, 
	papers TEXT[] NOT NULL, 
	needs TEXT[] NOT NULL, 
	forms TEXT[] NOT NULL, 
	account_checked BOOLEAN NOT NULL, 
	risk_explained BOOLEAN NOT NULL, 
	waited_minutes INTEGER NOT NULL, 
	apologised BOOLEAN NOT NULL, 
	question_id UUID, 
	CONSTRAINT pk_receptions PRIMARY KEY (reception_id)
);
CREATE INDEX ix_receptions_branch_id_day ON receptions (branch_id, day);
CREATE INDEX ix_receptions_client_id ON receptions (client_id, at DESC);
COMMENT ON COLUMN receptions.first_asked IS 'who was asked first, and answers for it [C8]';
COMMENT ON COLUMN receptions.own IS 'the client themselves came';
COMMENT ON COLUMN receptions.account_checked IS 'account state, business opened, assets were looked at';
COMMENT ON COLUMN receptions.question_id IS 'what could not be answered at once';
CREATE TABLE spot_checks (
	check_id UUID NOT NULL, 
	draw_id UUID NOT NULL, 
	quarter_end DATE NOT NULL, 
	branch_id TEXT NOT NULL, 
	person TEXT NOT NULL, 
	contact_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	drawn_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	score INTEGER, 
	as_logged BOOLEAN, 
	findings TEXT, 
	scored_by TEXT, 
	answer_until TIMESTAMP WITH TIME ZONE, 
	answer TEXT, 
	closing TEXT, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_spot_checks PRIMARY KEY (check_id), 
	CONSTRAINT ck_spot_checks_state CHECK (state IN ('drawn', 'scored', 'answered', 'closed')), 
	CONSTRAINT ck_spot_checks_score CHECK (score BETWEEN 0 AND 100)
);
CREATE INDEX ix_spot_checks_branch_id_quarter_end_person ON spot_checks (branch_id, quarter_end, person);
CREATE UNIQUE INDEX uq_spot_checks_contact_id ON spot_checks (contact_id);
COMMENT ON COLUMN spot_checks.branch_id IS 'of the person when it was drawn';
COMMENT ON COLUMN spot_checks.person IS 'whose log it is';
COMMENT ON COLUMN spot_checks.as_logged IS 'whether the contact was as the log says';
COMMENT ON COLUMN spot_checks.answer IS 'of the person';
COMMENT ON COLUMN spot_checks.closing IS 'what was decided after the answer';
CREATE TABLE spot_draws (
	draw_id UUID NOT NULL, 
	branch_id TEXT NOT NULL, 
	quarter_end DATE NOT NULL, 
	seed INTEGER NOT NULL, 
	through DATE NOT NULL, 
	counts JSONB NOT NULL, 
	policy TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	drawn_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_spot_draws PRIMARY KEY (draw_id)
);
CREATE INDEX ix_spot_draws_branch_id_quarter_end ON spot_draws (branch_id, quarter_end);
COMMENT ON COLUMN spot_draws.counts IS 'by person: entries, needed, drawn before, drawn now';
CREATE TABLE spot_reports (
	branch_id TEXT NOT NULL, 
	quarter_end DATE NOT NULL, 
	figures JSONB NOT NULL, 
	due_on DATE NOT NULL, 
	made_by TEXT NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_spot_reports PRIMARY KEY (branch_id, quarter_end)
);
