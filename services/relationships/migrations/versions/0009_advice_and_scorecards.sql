CREATE TABLE advices (
	advice_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	person TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	day DATE NOT NULL, 
	about TEXT NOT NULL, 
	symbol TEXT, 
	direction TEXT NOT NULL, 
	need TEXT, 
	question TEXT, 
	fact TEXT NOT NULL, 
	opinion TEXT NOT NULL, 
	sources TEXT[] NOT NULL, 
	kept_until DATE NOT NULL, 
	contradicts TEXT[] NOT NULL, 
	contact_id UUID NOT NULL, 
	ended TEXT, 
	state TEXT NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_advices PRIMARY KEY (advice_id), 
	CONSTRAINT ck_advices_state CHECK (state IN ('given', 'once', 'twice', 'done', 'ended'))
);
CREATE INDEX ix_advices_client_id_at ON advices (client_id, at);
CREATE INDEX ix_advices_person_day ON advices (person, day);
CREATE INDEX ix_advices_symbol_at ON advices (symbol, at);
COMMENT ON COLUMN advices.about IS '大盘, 行业, 个股, 其他';
COMMENT ON COLUMN advices.symbol IS 'the instrument or sector it is about';
COMMENT ON COLUMN advices.need IS '投资需求类别';
COMMENT ON COLUMN advices.question IS 'masked';
COMMENT ON COLUMN advices.fact IS 'what is known, masked';
COMMENT ON COLUMN advices.opinion IS 'what we make of it, masked';
COMMENT ON COLUMN advices.sources IS 'where the facts are from';
COMMENT ON COLUMN advices.kept_until IS 'the sources are kept until then at least';
COMMENT ON COLUMN advices.contradicts IS 'opposite advice on the same at the time, to others';
COMMENT ON COLUMN advices.contact_id IS 'in which it was given';
COMMENT ON COLUMN advices.ended IS 'why it is followed no more';
CREATE TABLE branch_day_plans (
	branch_id TEXT NOT NULL, 
	effective_on DATE NOT NULL, 
	lines JSONB NOT NULL, 
	reason TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	approved_by TEXT NOT NULL, 
	approved_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_branch_day_plans PRIMARY KEY (branch_id, effective_on)
);
COMMENT ON COLUMN branch_day_plans.lines IS 'none: headquarters'' again';
CREATE TABLE card_months (
	month_end DATE NOT NULL, 
	person TEXT NOT NULL, 
	card TEXT NOT NULL, 
	branch_id TEXT, 
	items INTEGER NOT NULL, 
	part NUMERIC NOT NULL, 
	whole NUMERIC NOT NULL, 
	policy TEXT NOT NULL, 
	CONSTRAINT pk_card_months PRIMARY KEY (month_end, person, card)
);
CREATE INDEX ix_card_months_branch_id_month_end ON card_months (branch_id, month_end);
COMMENT ON COLUMN card_months.branch_id IS 'of the person';
COMMENT ON COLUMN card_months.policy IS 'the version of the scorecard';
CREATE TABLE closed_cases (
	case_id TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	client_id TEXT NOT NULL, 
	upheld BOOLEAN NOT NULL, 
	closed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_closed_cases PRIMARY KEY (case_id, generation)
);
CREATE INDEX ix_closed_cases_client_id_closed_at ON closed_cases (client_id, closed_at);
CREATE TABLE satisfactions (
	case_id TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	client_id TEXT NOT NULL, 
	satisfied BOOLEAN NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_satisfactions PRIMARY KEY (case_id, generation)
);
CREATE INDEX ix_satisfactions_client_id_at ON satisfactions (client_id, at);
CREATE TABLE sessions (
	session_id UUID NOT NULL, 
	person TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	title TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	day DATE NOT NULL, 
	minutes INTEGER NOT NULL, 
	attended INTEGER NOT NULL, 
	words TEXT, 
	entered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (session_id), 
	CONSTRAINT ck_sessions_kind CHECK (kind IN ('install_help', 'event', 'lecture', 'morning_meeting', 'evening_meeting', 'weekly_meeting', 'monthly_meeting'))
);
CREATE INDEX ix_sessions_person_day ON sessions (person, day);
COMMENT ON COLUMN sessions.attended IS 'how many came, clients or not';
COMMENT ON COLUMN sessions.words IS 'masked';
CREATE TABLE advice_follow_ups (
	advice_id UUID NOT NULL, 
	number INTEGER NOT NULL, 
	person TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	day DATE NOT NULL, 
	due_on DATE NOT NULL, 
	allocation TEXT NOT NULL, 
	gain NUMERIC NOT NULL, 
	words TEXT NOT NULL, 
	reaction TEXT, 
	CONSTRAINT pk_advice_follow_ups PRIMARY KEY (advice_id, number), 
	CONSTRAINT fk_advice_follow_ups_advice_id FOREIGN KEY(advice_id) REFERENCES advices (advice_id)
);
CREATE INDEX ix_advice_follow_ups_person_day ON advice_follow_ups (person, day);
COMMENT ON COLUMN advice_follow_ups.allocation IS '资金配置';
COMMENT ON COLUMN advice_follow_ups.gain IS '累计涨幅, in per cent';
COMMENT ON COLUMN advice_follow_ups.words IS 'what was done for the client, masked';
COMMENT ON COLUMN advice_follow_ups.reaction IS 'of the client, masked';
