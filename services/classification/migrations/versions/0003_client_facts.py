"""What is kept of clients is dated; a client may be heard of before the opening."""

from alembic import op

from chassis.bus.record import partition_of
from chassis.migrate import run_sql

revision = "0003"
down_revision = "0002"

STAMP = """jsonb_build_array(to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00', event,
                             (time AT TIME ZONE 'Asia/Shanghai')::date)"""


def upgrade() -> None:
    run_sql(__file__)
    run = op.get_bind().exec_driver_sql
    partitions = run("SELECT count(*) FROM consumer_partitions").scalar() or 1
    waiting = run(
        "(SELECT client_id FROM early_profiles UNION SELECT client_id FROM endings) EXCEPT SELECT client_id FROM clients"
    ).all()
    for (client_id,) in waiting:
        place = partition_of(client_id, partitions)
        run("INSERT INTO clients (client_id, partition) VALUES ($1, $2)", (client_id, place))
    for name in ("branch_id", "manager_id", "kind"):
        run(
            f"""UPDATE clients c SET {name} = w.profile->>'{name}', stamps = stamps || jsonb_build_object('{name}', w.stamp)
                FROM (SELECT DISTINCT ON (client_id) client_id, profile, {STAMP} AS stamp FROM early_profiles
                      WHERE profile->>'{name}' IS NOT NULL ORDER BY client_id, time DESC, event DESC) w
                WHERE w.client_id = c.client_id AND c.opened_on IS NULL"""
        )
    run(
        """UPDATE clients c SET closed_on = e.closed_on, closing_requested_on = e.closing_requested_on
           FROM endings e WHERE e.client_id = c.client_id"""
    )
    run("DROP TABLE early_profiles")
    run("DROP TABLE endings")
