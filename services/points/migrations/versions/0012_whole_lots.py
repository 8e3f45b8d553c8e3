"""Checks of holds look at what a client has left, not at all the client ever had; unanswered requests are told ever more rarely."""

from alembic import op

from chassis.migrate import run_sql

revision = "0012"
down_revision = "0011"

FUNCTION = """
CREATE OR REPLACE FUNCTION require_lots_and_holds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    client text := NEW.client_id;
    found text;
    wanted text;
BEGIN
    SELECT format('available %s, held %s', b.available, b.held),
           (SELECT format('available %s, held %s', b.whole + coalesce(sum(l.free), 0), coalesce(sum(l.held), 0))
            FROM lots l WHERE l.client_id = client AND l.free + l.held > 0)
    INTO wanted, found FROM balances b WHERE b.client_id = client;
    IF found IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION 'the lots of client % say %, the balance %', client, found, wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'lots_are_the_balance', TABLE = 'lots';
    END IF;
    IF (SELECT coalesce(sum(h.points), 0) FROM holds h WHERE h.client_id = client AND h.outcome IS NULL)
       <> (SELECT b.held FROM balances b WHERE b.client_id = client) THEN
        RAISE EXCEPTION 'what is held for client % is not what holds keep', client
            USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_are_the_balance', TABLE = 'holds';
    END IF;
    RETURN NULL;
END $$"""


def upgrade() -> None:
    run_sql(__file__)
    op.execute(FUNCTION)
