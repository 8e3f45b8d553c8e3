"""What a decision rests on, read in one go: the client's level and standing, the product's class, a confirmation.

The same SQL serves one decision, a screening of many, and the judging of settled trades; the rule itself is Python
(`rules.decide`), so there is only one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from chassis.rows import Row
from chassis.timeline import TODAY
from services.suitability import history
from services.suitability.history import counts
from services.suitability.levels import SCHEMES, SEED, held_in, needed_in
from services.suitability.policy import Policies, Policy
from services.suitability.rules import Holder, Target, needed_rank
from services.suitability.tables import CLIENTS


class Classed(Row, frozen=True):
    """What says how much a product asks for, on a day: what it is, and the words of its issuer, staff and the library."""

    kind: str | None
    issuer_class: str | None
    set_class: list[str | None] | None
    library: list[str | None] | None


class ProductRow(Classed, frozen=True):
    """A product as it was on a day (`product_columns`)."""

    code: str
    name_zh: str
    name_en: str
    state: str
    revision: int


class Bought(Classed, frozen=True):
    """A settled buy (`BOUGHT`): what its trade said of the product, and what staff and the library had by its date;
    `at_known`: it was made when it settled, else at some time of its day."""

    client_id: str
    branch_id: str
    trade_id: str
    trade_date: date
    settled_at: datetime
    at_known: bool
    symbol: str
    entered: list[str | None] | None


class HolderRow(Row, frozen=True):
    """A client on a day, at an instant (`holder_columns`)."""

    day: date
    instant: datetime
    client_id: str
    branch_id: str | None
    birth_year: int | None
    client_kind: str | None
    closed: bool
    assessment_id: str | None
    held_scheme: str | None
    held_level: str | None
    held_rank: int | None
    valid_until: date | None
    assessed_at: datetime | None
    held_source: str | None
    submission_id: str | None
    assessed_before: bool
    professional: bool
    vulnerable: bool
    reassessment_overdue: bool
    rise_approved: bool
    permissions: list[str]


class Confirmed(Row, frozen=True):
    """A confirmation, as far as it is asked whether it still holds (`CONFIRMED_AS`)."""

    decision_id: str
    needed: int
    held: int
    checked_by: str | None
    second_contact: str | None
    scheme: str | None


class SituationRow(NamedTuple):
    """One pair of `SITUATION`, the `nth` from 1: a client, a product if it is known, its newest confirmation."""

    nth: int
    client: HolderRow
    product: ProductRow | None
    confirmed: Confirmed | None


HOLDER_WIDTH, PRODUCT_WIDTH, BOUGHT_WIDTH = (len(row.__struct_fields__) for row in (HolderRow, ProductRow, Bought))


def product_in(columns: Sequence[Any]) -> ProductRow | None:
    """The product of `product_columns`, None where a join found none."""
    return ProductRow(*columns) if columns[0] is not None else None


def confirmation_in(columns: Sequence[Any]) -> Confirmed | None:
    """The confirmation of `CONFIRMED_AS`, None where a join found none."""
    return Confirmed(*columns) if columns[0] is not None else None


def situation_in(columns: asyncpg.Record) -> SituationRow:
    """A row of `SITUATION`."""
    client, product = 1 + HOLDER_WIDTH, 1 + HOLDER_WIDTH + PRODUCT_WIDTH
    return SituationRow(
        columns[0],
        HolderRow(*columns[1:client]),
        product_in(columns[client:product]),
        confirmation_in(columns[product:]),
    )


def in_force(client: str, day: str) -> str:
    """The assessment in force for a client on a day: the newest begun by then, by when the client was assessed, unless
    it has ended (as `history.on`)."""
    return f"""SELECT * FROM (
                   SELECT a.assessment_id, a.scheme, a.level, a.rank, a.valid_from, a.valid_until, a.assessed_at, a.source,
                          a.submission_id
                   FROM assessments a WHERE a.client_id = {client} AND a.valid_from <= {day} AND {counts("a")}
                   ORDER BY a.assessed_at DESC, a.number DESC LIMIT 1) newest
               WHERE valid_until >= {day}"""


def ever_assessed(client: str, day: str) -> str:
    """Whether a client had any assessment by a day."""
    return f"""EXISTS (SELECT FROM assessments a WHERE a.client_id = {client} AND a.valid_from <= {day}
                       AND {counts("a")})"""


def professional(client: str, day: str) -> str:
    """Whether a client is a professional investor, proven and not expired, on a day [Q6]."""
    return f"""coalesce((SELECT q.category IS NOT NULL AND q.until >= {day} FROM professional_status q
                         WHERE q.client_id = {client} AND q.since <= {day} ORDER BY q.since DESC, q.id DESC LIMIT 1), false)"""


def vulnerable(client: str, day: str) -> str:
    """Whether a client is stated to be vulnerable on a day."""
    return f"""coalesce((SELECT v.vulnerable FROM vulnerabilities v WHERE v.client_id = {client} AND v.since <= {day}
                         ORDER BY v.since DESC, v.id DESC LIMIT 1), false)"""


def reassessment_owed(client: str, day: str) -> str:
    """Whether a client had not answered anew by a day, after a stated change of life [Q5]: what they answered before they
    stated it is no answer to it, whenever it was approved (a review opens as answers come in). An assessment elsewhere has no
    time of its day."""
    return f"""EXISTS (SELECT FROM life_changes l WHERE l.client_id = {client} AND l.stated_on <= {day}
                       AND {_unanswered(day)})"""


def reassessment_overdue(client: str, day: str) -> str:
    """Whether they had not in time either."""
    return f"""EXISTS (SELECT FROM life_changes l WHERE l.client_id = {client} AND l.due_on < {day}
                       AND {_unanswered(day)})"""


def _unanswered(day: str) -> str:
    return f"""NOT EXISTS (SELECT FROM assessments a WHERE a.client_id = l.client_id
                                       AND a.valid_from BETWEEN l.stated_on AND {day}
                                       AND (a.source = 'imported' OR l.at <= coalesce(
                                           (SELECT r.opened_at FROM reviews r WHERE r.submission_id = a.submission_id),
                                           a.recorded_at)) AND {counts("a")})"""


def permitted(client: str, day: str) -> str:
    """The trading permissions that a client has at the end of a day."""
    return f"""ARRAY(SELECT permission FROM permissions m WHERE m.client_id = {client}
                     AND (m.at AT TIME ZONE 'Asia/Shanghai')::date <= {day} GROUP BY permission
                     HAVING max(m.at) FILTER (WHERE m.held)
                            > coalesce(max(m.at) FILTER (WHERE NOT m.held), '-infinity'))"""


def cancelled(trade: str, day: str) -> str:
    """SQL: the join of what stays of a trade by a day, as `x`; no row when it stands whole.

    The lowest word is found among those of the one trade, after the join: few trades have any.
    """
    own = f"{{0}}.client_id = {trade}.client_id AND {{0}}.trade_id = {trade}.trade_id AND {{0}}.cancelled_on <= {day}"
    return f"""LEFT JOIN cancellations x ON {own.format("x")} AND NOT EXISTS (
                   SELECT FROM cancellations y WHERE {own.format("y")}
                   AND (y.remaining, y.cancelled_on) < (x.remaining, x.cancelled_on))"""


CONFIRMED_AS = """k.decision_id, k.needed, k.held, k.checked_by, k.second_contact,
           (SELECT made.facts->>'scheme' FROM decisions made WHERE made.decision_id = k.decision_id)"""
"""The columns of `Confirmed`, of a confirmation `k`."""


def holder_columns(day: str, instant: str) -> str:
    """The columns of `HolderRow`, from `clients c` and the assessment in force `f`: each of them as of the day."""
    return f"""{day}, {instant}, c.client_id, c.branch_id, c.birth_year, c.kind, coalesce(c.closed_on <= {day}, false),
               f.assessment_id, f.scheme, f.level, f.rank, f.valid_until, f.assessed_at, f.source, f.submission_id,
               {ever_assessed("c.client_id", day)}, {professional("c.client_id", day)}, {vulnerable("c.client_id", day)},
               {reassessment_overdue("c.client_id", day)},
               EXISTS (SELECT FROM reviews r WHERE r.state = 'approved' AND r.decided_on <= {day}
                       AND (r.assessment_id = f.assessment_id OR r.submission_id = f.submission_id)),
               {permitted("c.client_id", day)}"""


def product_on(code: str, day: str) -> str:
    """A product as it was on a day: kind, shelf state and issuer's class are dated."""
    return f"""SELECT x.code, x.name_zh, x.name_en, x.revision, s.kind, s.state, s.issuer_class
               FROM products x JOIN product_states s ON s.code = x.code
               WHERE x.code = {code} AND s.since <= {day} ORDER BY s.since DESC, s.id DESC LIMIT 1"""


def _class_columns(code: str, day: str) -> str:
    return f"""(SELECT ARRAY[k.scheme, k.level, k.waived] FROM product_classes k WHERE k.code = {code}
                AND k.effective_on <= {day} ORDER BY k.effective_on DESC, k.id DESC LIMIT 1),
               (SELECT ARRAY[l.shelf, l.floor] FROM library_states l
                WHERE l.code = {code} AND l.changed_from <= {day} AND l.since <= {day}
                ORDER BY l.revision DESC, l.since DESC LIMIT 1)"""


def product_columns(day: str) -> str:
    """The columns of `ProductRow`, from `product_on` named `p`."""
    return f"""p.kind, p.issuer_class, {_class_columns("p.code", day)}, p.code, p.name_zh, p.name_en, p.state, p.revision"""


PURCHASED_ON = "(b.at AT TIME ZONE 'Asia/Shanghai')::date"
BUYS = f"""(SELECT client_id, branch_id, trade_id, trade_date, settled_at, symbol, kind, issuer_class,
                  false AS at_known
           FROM trades WHERE side = 'buy'
           UNION ALL
           SELECT b.client_id, {CLIENTS.on("branch_id")},
                  'purchase:' || CASE WHEN length(b.purchase_id) <= 55 THEN b.purchase_id ELSE md5(b.purchase_id) END,
                  {PURCHASED_ON}, b.at, b.product, x.kind, NULL, true
           FROM purchases b JOIN clients c ON c.client_id = b.client_id {CLIENTS.join(PURCHASED_ON)}
           LEFT JOIN LATERAL (SELECT s.kind FROM product_states s WHERE s.code = b.product AND s.since <= {PURCHASED_ON}
                              ORDER BY s.since DESC, s.id DESC LIMIT 1) x ON true
           WHERE b.amount > 0 AND {CLIENTS.on("branch_id")} IS NOT NULL)"""
"""What clients bought: trades that settled, and the financial products they took, as if these were trades, in the branch where
the client was on the day and of the kind that the product was then; their numbers are no longer than an identifier may be."""
BOUGHT = f"""t.kind, t.issuer_class, {_class_columns("t.symbol", "t.trade_date")},
           t.client_id, t.branch_id, t.trade_id, t.trade_date, t.settled_at, t.at_known, t.symbol,
           (SELECT ARRAY[s.kind, s.issuer_class] FROM product_states s WHERE s.code = t.symbol AND s.entered
            AND s.since <= t.trade_date ORDER BY s.since DESC, s.id DESC LIMIT 1)"""
"""The columns of `Bought`, of a settled buy `t`."""


_SITUATION = f"""
    WITH today AS ({{today}})
    SELECT q.nth, {holder_columns("t.day", "t.instant")}, {product_columns("t.day")}, {CONFIRMED_AS}
    FROM today t CROSS JOIN unnest($2::text[], $3::text[]) WITH ORDINALITY AS q(client_id, product, nth)
    JOIN clients c ON c.client_id = q.client_id
    LEFT JOIN LATERAL ({in_force("c.client_id", "t.day")}) f ON true
    LEFT JOIN LATERAL ({product_on("q.product", "t.day")}) p ON true
    LEFT JOIN LATERAL (
        SELECT decision_id, needed, held, checked_by, second_contact FROM confirmations k
        WHERE k.client_id = c.client_id AND k.product = q.product AND k.confirmed_on <= t.day AND k.valid_until >= t.day
        ORDER BY k.confirmed_at DESC, k.number DESC LIMIT 1) k ON true"""
SITUATION = _SITUATION.format(today=TODAY)
"""Arguments: the unit of work's `now`, clients, products, pair by pair. A pair (`nth`, from 1) without a row: no such
client."""
SITUATION_AS_OF = _SITUATION.format(
    today="SELECT $1::date AS day, ($1::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' AS instant"
)
"""The same at the end of any day, as known now."""


def set_rank(set_class: Sequence[str | None] | None, kind: str, policy: Policy) -> int | None:
    """The rank of the class staff set for a product (scheme, level, what compliance waived), in the firm's scheme; None when
    they set none.

    It is never below its kind's, unless compliance agreed to less than a level as high as its kind's is now, in this scheme.
    """
    if set_class is None:
        return None
    scheme, level, waived = set_class
    if scheme is None or level is None:
        return None
    rank = needed_in(scheme, SCHEMES[scheme].rank(level), policy.scheme)
    floor = policy.rank_of_kind.get(kind, rank)
    agreed = waived is not None and scheme == policy.scheme and floor <= SCHEMES[scheme].rank(waived)
    return rank if agreed else max(rank, floor)


def needed_of(row: Classed, policy: Policy) -> int | None:
    """The rank that the product of a row needs in the firm's scheme; None: it has no class [Q3, Q6]. What the library asks
    for at least stands in for the class of a kind that the policy does not name [S6]."""
    kind = row.kind or ""
    own, floor = set_rank(row.set_class, kind, policy), library_floor(row.library, policy)
    if own is None and kind not in policy.rank_of_kind:
        own = floor
    needed = needed_rank(kind, own, row.issuer_class, policy)
    return needed if needed is None or floor is None else max(needed, floor)


def needed_of_buy(row: Bought, policy: Policy) -> int | None:
    """The rank that the product of a settled buy needs: as its trade described it, and as staff had entered it,
    whichever asks for more. What staff entered counts alone where the trade names no class."""
    said = needed_of(row, policy)
    if row.entered is None:
        return said
    kind, issuer_class = row.entered
    entered = needed_of(msgspec.structs.replace(row, kind=kind, issuer_class=issuer_class), policy)
    return entered if entered is None or said is None else max(said, entered)


def library_floor(library: Sequence[str | None] | None, policy: Policy) -> int | None:
    """The rank that the library asks for at least, in the firm's scheme, by what it says (shelf, floor); None: the product is
    none of the library's.

    A level nobody here can read asks for the highest."""
    if library is None:
        return None
    floor = library[1]
    if floor is None:
        return policy.own_scheme.levels[0].rank
    if floor not in SEED.codes:
        return policy.own_scheme.levels[-1].rank
    return needed_in(SEED.code, SEED.rank(floor), policy.scheme)


def not_sold_because(row: ProductRow) -> str | None:
    """Whose word keeps a product off the shelf, and what it says: `own:off_shelf`, `library:suspended`; None: both have it on."""
    if row.state != "on_shelf":
        return f"own:{row.state}"
    return f"library:{row.library[0]}" if row.library is not None and row.library[0] != "on_shelf" else None


def target_of(row: ProductRow | None, policy: Policy, permissions: list[str]) -> Target:
    """The product of a row as the rule sees it."""
    if row is None:
        return Target(known=False, on_shelf=False, needed=None)
    permitted = policy.permission_of(row.kind) in (None, *permissions)
    needed = needed_of(row, policy)
    high_risk = needed is not None and needed >= policy.high_risk_rank
    return Target(True, not_sold_because(row) is None, needed, permitted, high_risk)


def held_rank(scheme: str | None, rank: int | None, policy: Policy) -> int | None:
    """The rank of a level in force in the firm's scheme, None when none is."""
    return None if scheme is None or rank is None else held_in(scheme, rank, policy.scheme)


async def lowest_before(
    sql: asyncpg.Connection, rows: Sequence[HolderRow], policies: Policies
) -> Mapping[str, int | None]:
    """The lowest rank in force within the hours before a purchase [Q5], of those clients who answered within them.

    What they answered before is read for them alone: most purchases lie far from any answers.
    """
    fresh: dict[str, tuple[datetime, Policy]] = {}
    for row in rows:
        policy = policies.on(row.day)
        answered = row.assessed_at if row.held_source == "questionnaire" else None
        if answered is not None and answered > row.instant - policy.rise_before_purchase:
            fresh[row.client_id] = row.instant, policy
    if not fresh:
        return {}
    known = await history.read(sql, list(fresh))
    return {
        client: history.lowest(known[client], instant - policy.rise_before_purchase, instant, policy.scheme)
        for client, (instant, policy) in fresh.items()
    }


def holder_of(row: HolderRow, policy: Policy, lowest: int | None) -> Holder:
    """The client of a row as the rule sees them. `lowest`: as in `lowest_before`."""
    held, age = held_rank(row.held_scheme, row.held_rank, policy), age_of(row.birth_year, row.day)
    rose = held is not None and lowest is not None and held > lowest
    return Holder(
        held=held,
        assessed_before=row.assessed_before,
        closed=row.closed,
        professional=row.professional,
        reassessment_overdue=row.reassessment_overdue,
        rank_before_rise=lowest if rose else None,
        rise_approved=row.rise_approved,
        elderly=policy.is_elderly(age),
        vulnerable=row.vulnerable,
        second_contact=row.vulnerable or policy.is_to_be_spoken_to(age),
        age_unknown=policy.age_is_missing(age, row.client_kind),
    )


def age_of(birth_year: int | None, day: date) -> int | None:
    """How old a client becomes in the year of a day, None when nobody knows."""
    return day.year - birth_year if birth_year else None


def confirmed_so_high(given: Confirmed | None, held: int | None, needed: int | None, policy: Policy) -> bool:
    """Whether a confirmation is of so high a class and so low a level [Q4]: a class raised or a level lowered since voids it,
    and so does another scheme of the firm: the levels that the warning named are not those of today."""
    return (
        given is not None
        and given.scheme == policy.scheme
        and held is not None
        and needed is not None
        and needed <= given.needed
        and held >= given.held
    )


def still_confirmed(given: Confirmed | None, holder: Holder, target: Target, policy: Policy) -> bool:
    """Whether a confirmation still holds: also care that the client is owed by now and was not given then voids it."""
    return (
        given is not None
        and confirmed_so_high(given, holder.held, target.needed, policy)
        and not (target.high_risk and holder.care and given.checked_by is None)
        and not (target.high_risk and holder.second_contact and given.second_contact is None)
    )


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything one decision rests on."""

    day: date
    client_id: str
    branch_id: str | None
    product_name: str
    holder: Holder
    target: Target
    assessment_id: str | None
    held_scheme: str | None
    held_level: str | None
    valid_until: date | None
    kind: str | None
    issuer_class: str | None
    not_sold_because: str | None
    confirmation: str | None

    @property
    def confirmed(self) -> bool:
        """Whether a confirmation of this product still holds."""
        return self.confirmation is not None


def situation_of(row: SituationRow, policy: Policy, lowest: int | None, code: str) -> Situation:
    """The situation in a row of `SITUATION`, about the product of this code."""
    client, product = row.client, row.product
    holder, target = holder_of(client, policy, lowest), target_of(product, policy, client.permissions)
    confirmed = row.confirmed if still_confirmed(row.confirmed, holder, target, policy) else None
    return Situation(
        day=client.day,
        client_id=client.client_id,
        branch_id=client.branch_id,
        product_name=(product.name_zh or product.name_en or code) if product else code,
        holder=holder,
        target=target,
        assessment_id=client.assessment_id,
        held_scheme=client.held_scheme,
        held_level=client.held_level,
        valid_until=client.valid_until,
        kind=product.kind if product else None,
        issuer_class=product.issuer_class if product else None,
        not_sold_because=not_sold_because(product) if product else None,
        confirmation=confirmed.decision_id if confirmed else None,
    )
