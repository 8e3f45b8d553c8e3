CREATE TABLE agreements (
	client_id TEXT NOT NULL, 
	agreement_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	signed_on DATE, 
	ended_on DATE, 
	CONSTRAINT pk_agreements PRIMARY KEY (client_id, agreement_id)
);
CREATE TABLE decisions (
	decision_id TEXT NOT NULL, 
	client_id TEXT NOT NULL, 
	product TEXT NOT NULL, 
	outcome TEXT, 
	decided_at TIMESTAMP WITH TIME ZONE, 
	confirmed_at TIMESTAMP WITH TIME ZONE, 
	valid_until DATE, 
	CONSTRAINT pk_decisions PRIMARY KEY (decision_id)
);
COMMENT ON COLUMN decisions.outcome IS 'none: its confirmation was heard first';
CREATE TABLE levels (
	client_id TEXT NOT NULL, 
	assessment_id TEXT NOT NULL, 
	level TEXT NOT NULL, 
	valid_from DATE NOT NULL, 
	valid_until DATE NOT NULL, 
	CONSTRAINT pk_levels PRIMARY KEY (client_id, assessment_id)
);
COMMENT ON COLUMN levels.valid_until IS 'the last day';
CREATE TABLE previews (
	preview_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	code TEXT NOT NULL, 
	starts_on DATE NOT NULL, 
	plan JSONB NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	made_by TEXT NOT NULL, 
	confirmed UUID, 
	CONSTRAINT pk_previews PRIMARY KEY (preview_id)
);
CREATE INDEX ix_previews_made_at ON previews (made_at);
COMMENT ON COLUMN previews.confirmed IS 'the subscription made of it';
CREATE TABLE redemptions (
	redemption_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	code TEXT NOT NULL, 
	months INTEGER NOT NULL, 
	reason TEXT, 
	subscription_id UUID, 
	answered_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_redemptions PRIMARY KEY (redemption_id)
);
COMMENT ON COLUMN redemptions.reason IS 'why it was refused; none: it is delivered';
CREATE TABLE subscription_histories (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	stretches JSONB NOT NULL, 
	CONSTRAINT pk_subscription_histories PRIMARY KEY (client_id)
);
CREATE TABLE subscription_histories_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	stretches JSONB NOT NULL, 
	recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	CONSTRAINT pk_subscription_histories_changes PRIMARY KEY (client_id, revision)
);
CREATE TABLE subscriptions (
	subscription_id UUID NOT NULL, 
	client_id TEXT NOT NULL, 
	branch_id TEXT, 
	code TEXT NOT NULL, 
	paid_by TEXT NOT NULL, 
	state TEXT NOT NULL, 
	signed_on DATE NOT NULL, 
	since DATE NOT NULL, 
	until DATE, 
	ended_by TEXT, 
	agreement TEXT, 
	signature TEXT, 
	decision_id TEXT, 
	made_by TEXT NOT NULL, 
	made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (subscription_id), 
	CONSTRAINT ck_subscriptions_days CHECK (until IS NULL OR until >= since)
);
CREATE INDEX ix_subscriptions_client_id_code ON subscriptions (client_id, code);
CREATE INDEX ix_subscriptions_until ON subscriptions (until) WHERE state <> 'ended';
CREATE UNIQUE INDEX uq_subscriptions_live ON subscriptions (client_id, code) WHERE state IN ('active', 'included', 'ending');
COMMENT ON COLUMN subscriptions.signed_on IS 'the day of the client''s consent: whose prices count';
COMMENT ON COLUMN subscriptions.until IS 'exclusive; none: until further notice';
COMMENT ON COLUMN subscriptions.ended_by IS 'what ends it: client, replaced, bundle, tier, account, ...';
COMMENT ON COLUMN subscriptions.agreement IS 'reference of the signed agreement';
COMMENT ON COLUMN subscriptions.signature IS 'reference of the e-signature or recording';
CREATE TABLE tiers (
	client_id TEXT NOT NULL, 
	since DATE NOT NULL, 
	until DATE, 
	tier TEXT NOT NULL, 
	CONSTRAINT pk_tiers PRIMARY KEY (client_id, since)
);
CREATE TABLE tiers_changes (
	client_id TEXT NOT NULL, 
	revision BIGINT NOT NULL, 
	changed_from DATE NOT NULL, 
	told JSONB NOT NULL, 
	CONSTRAINT pk_tiers_changes PRIMARY KEY (client_id, revision)
);
COMMENT ON TABLE tiers_changes IS 'what tiers is the fold of';
