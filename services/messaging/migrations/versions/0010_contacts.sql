CREATE TABLE contacts_asked (
    request_id UUID NOT NULL,
    message_id UUID NOT NULL,
    month DATE NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    granted BOOLEAN,
    CONSTRAINT pk_contacts_asked PRIMARY KEY (request_id)
);
COMMENT ON COLUMN contacts_asked.month IS 'its first day';
COMMENT ON COLUMN contacts_asked.granted IS 'empty: not decided yet';
CREATE INDEX ix_contacts_asked_message_id_month ON contacts_asked (message_id, month);
