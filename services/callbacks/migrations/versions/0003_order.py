"""Order of locks: steps are numbered when a transaction ends, marks of late facts are only ever added."""

from chassis.migrate import run_sql

revision = "0003"
down_revision = "0002"

NUMBER_STEPS = """
CREATE FUNCTION number_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ours CONSTANT bigint := pg_current_xact_id()::text::bigint;
BEGIN
    -- The first of a transaction's triggers numbers all of it, the others find nothing.
    IF NOT EXISTS (SELECT FROM told_steps WHERE transaction = ours) THEN
        RETURN NULL;
    END IF;
    INSERT INTO sealed_heads (name, partition)
    SELECT DISTINCT 'steps', t.partition FROM told_steps t WHERE t.transaction = ours
      AND NOT EXISTS (SELECT FROM sealed_heads h WHERE h.name = 'steps' AND h.partition = t.partition)
    ORDER BY 2 ON CONFLICT DO NOTHING;
    PERFORM FROM sealed_heads h WHERE h.name = 'steps'
      AND h.partition IN (SELECT t.partition FROM told_steps t WHERE t.transaction = ours)
    ORDER BY h.partition FOR UPDATE;
    WITH told AS (DELETE FROM told_steps WHERE transaction = ours RETURNING *),
         heads AS (UPDATE sealed_heads h SET next = h.next + c.count
                   FROM (SELECT t.partition, count(*) AS count FROM told t GROUP BY t.partition) c
                   WHERE h.name = 'steps' AND h.partition = c.partition RETURNING h.partition, h.next - c.count AS first)
    INSERT INTO steps (partition, number, task_id, client_id, on_day, at, from_state, to_state, actor, reason, detail, policy)
    SELECT t.partition, h.first + row_number() OVER (PARTITION BY t.partition ORDER BY t.place) - 1, t.task_id, t.client_id,
           t.on_day, t.at, t.from_state, t.to_state, t.actor, t.reason, t.detail, t.policy
    FROM told t JOIN heads h USING (partition);
    RETURN NULL;
END $$"""

TRIGGER = """
CREATE CONSTRAINT TRIGGER number_steps AFTER INSERT ON told_steps DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.is_last) EXECUTE FUNCTION number_steps()"""


def upgrade() -> None:
    from alembic import op

    run_sql(__file__)
    for statement in (NUMBER_STEPS, TRIGGER):
        op.get_bind().exec_driver_sql(statement)
