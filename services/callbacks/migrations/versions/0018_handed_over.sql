DROP TABLE messages;
DROP TABLE subscriptions;
DROP TABLE feedback;
DROP TABLE mailings;
ALTER TABLE clients DROP COLUMN no_marketing;
ALTER TABLE clients DROP COLUMN language;
