"""What must hold of owners at any moment [RE1], as SQL that `careline verify` runs."""

from chassis.invariants import Invariant

OPENED = "c.opened_on::timestamp AT TIME ZONE 'Asia/Shanghai'"
INVARIANTS = [
    Invariant(
        "assignment_changes",
        "an opened client has one owner at every instant from the opening on",
        f"""SELECT c.client_id FROM looked JOIN clients c USING (client_id) LEFT JOIN owners o USING (client_id)
            WHERE c.opened_on IS NOT NULL GROUP BY c.client_id, c.opened_on
            HAVING count(o.since) = 0 OR min(o.since) <> {OPENED} OR count(*) FILTER (WHERE o.until IS NULL) <> 1
                OR count(DISTINCT o.since) <> count(o.since)
                OR sum(o.until - o.since) FILTER (WHERE o.until IS NOT NULL)
                   IS DISTINCT FROM nullif(max(o.since) - min(o.since), interval '0')""",
    ),
    Invariant(
        "assignment_changes",
        "the owners are those told last",
        """SELECT l.client_id FROM looked l
           JOIN LATERAL (SELECT h.stretches FROM assignment_changes h WHERE h.client_id = l.client_id
                         ORDER BY h.revision DESC LIMIT 1) last ON true
           WHERE (SELECT o.person FROM owners o WHERE o.client_id = l.client_id AND o.until IS NULL)
                 IS DISTINCT FROM (SELECT s->>'person' FROM jsonb_array_elements(last.stretches) s
                                   WHERE s->>'role' IN ('primary', 'pool_lead') AND s->>'until' IS NULL)""",
    ),
]
