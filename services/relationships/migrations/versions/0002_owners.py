"""Owners and teams of clients, each client's time in one chain without gap."""

from alembic import op

from chassis.migrate import run_sql

revision = "0002"
down_revision = "0001"

FUNCTION = """
CREATE FUNCTION require_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    client text := CASE TG_OP WHEN 'DELETE' THEN OLD.client_id ELSE NEW.client_id END;
    opened date;
BEGIN
    SELECT c.opened_on INTO opened FROM clients c WHERE c.client_id = client;
    IF opened IS NOT NULL AND NOT EXISTS (
        SELECT FROM owners o WHERE o.client_id = client AND o.since = opened::timestamp AT TIME ZONE 'Asia/Shanghai')
    THEN
        RAISE EXCEPTION 'no owner of client % from the opening on', client
            USING ERRCODE = 'check_violation', CONSTRAINT = 'client_is_owned', TABLE = 'owners';
    END IF;
    RETURN NULL;
END $$"""


def upgrade() -> None:
    run_sql(__file__)
    op.execute(FUNCTION)
    for trigger, event, table in (
        ("client_is_owned", "INSERT OR UPDATE OF opened_on", "clients"),
        ("owner_stays", "DELETE", "owners"),
    ):
        op.execute(
            f"""CREATE CONSTRAINT TRIGGER {trigger} AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION require_owner()"""
        )
