"""Numbers of sealed rows are handed out by the schema's owner: a service can take them, and not set them back."""

from alembic import op

revision = "0003"
down_revision = "0002"

# Names are written out, so that no search path of the caller's leads anywhere else.
STATEMENTS = """
CREATE TABLE {schema}.witnessed (
    one SMALLINT DEFAULT '1' NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    lines BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_witnessed PRIMARY KEY (one)
);

COMMENT ON COLUMN {schema}.witnessed.since IS 'from here on every seal has its line in the witness';

COMMENT ON COLUMN {schema}.witnessed.lines IS 'how many lines the witness has at least';

CREATE FUNCTION {schema}.take_numbers(of text, partitions integer[], counts bigint[])
    RETURNS TABLE (partition integer, first bigint)
    LANGUAGE plpgsql SECURITY DEFINER
AS $$
#variable_conflict use_column
BEGIN
    IF 0 >= ANY (counts) THEN
        RAISE EXCEPTION 'numbers are taken forwards only';
    END IF;
    RETURN QUERY
        WITH locked AS MATERIALIZED (
            SELECT h.partition FROM {schema}.sealed_heads h WHERE h.name = of AND h.partition = ANY (partitions)
            ORDER BY h.partition FOR UPDATE)
        UPDATE {schema}.sealed_heads h SET next = h.next + n.count
        FROM locked JOIN unnest(partitions, counts) AS n (partition, count) USING (partition)
        WHERE h.name = of AND h.partition = n.partition RETURNING h.partition, h.next - n.count;
END $$;

CREATE FUNCTION {schema}.take_number(of text, place integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    taken bigint;
BEGIN
    UPDATE {schema}.sealed_heads SET next = next + 1 WHERE name = of AND partition = place
        RETURNING next - 1 INTO taken;
    RETURN taken;
END $$;

REVOKE ALL ON FUNCTION {schema}.take_numbers, {schema}.take_number FROM PUBLIC;
"""


def upgrade() -> None:
    schema = op.get_bind().exec_driver_sql("SELECT current_schema()").scalar_one()
    for statement in STATEMENTS.format(schema=schema).split(";\n\n"):
        op.get_bind().exec_driver_sql(statement)
