"""What must hold in the ledger [P8], as far as a database can hold it without slowing accruals.

Rows before this migration are not looked at: they cannot change any more, and `careline verify` looks at them.
"""

from alembic import op

from chassis.migrate import run_sql

revision = "0011"
down_revision = "0010"

FUNCTION = """
CREATE FUNCTION require_lots_and_holds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    client text := NEW.client_id;
    found text;
    wanted text;
BEGIN
    SELECT format('available %s, held %s', b.available, b.held) INTO wanted FROM balances b WHERE b.client_id = client;
    SELECT format('available %s, held %s', coalesce(sum(l.free), 0), coalesce(sum(l.held), 0)) INTO found
    FROM (SELECT free, held FROM lots WHERE client_id = client
          UNION ALL
          SELECT e.points, 0 FROM entries e
          WHERE e.client_id = client AND e.expires_on IS NOT NULL AND e.step = 0
            AND NOT EXISTS (SELECT FROM lots o WHERE o.client_id = client AND o.lot = e.entry_id::text)) l;
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
    for table in ("holds", "adjustments"):
        op.execute(
            f"""CREATE CONSTRAINT TRIGGER {table}_leave_lots_and_balance_equal AFTER INSERT OR UPDATE ON {table}
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_lots_and_holds()"""
        )
