CREATE TABLE redemptions (
    redemption_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    reward TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    points BIGINT NOT NULL,
    state TEXT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revision INTEGER DEFAULT '0' NOT NULL,
    reason TEXT,
    CONSTRAINT pk_redemptions PRIMARY KEY (redemption_id)
);
COMMENT ON COLUMN redemptions.reason IS 'why it was refused';
CREATE INDEX ix_redemptions_client_id_redemption_id ON redemptions (client_id, redemption_id);

CREATE TABLE applications (
    application_id UUID NOT NULL,
    client_id TEXT NOT NULL,
    branch_id TEXT,
    tier TEXT NOT NULL,
    points BIGINT NOT NULL,
    mode TEXT NOT NULL,
    months INTEGER NOT NULL,
    two_persons BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revision INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_applications PRIMARY KEY (application_id)
);
COMMENT ON COLUMN applications.points IS 'held; in mode QUALIFY what had to be earned';
COMMENT ON COLUMN applications.two_persons IS 'whether its approval takes a second person';
CREATE UNIQUE INDEX uq_applications_applied ON applications (client_id) WHERE state = 'applied';
CREATE INDEX ix_applications_client_id_application_id ON applications (client_id, application_id);
