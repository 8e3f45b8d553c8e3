"""A table of acts as people read it: one line an act, and the states as a picture."""

from chassis.acts.table import EVERY, PLATFORM_ITSELF, Act, Acts, ClockMove, deciders_of


def as_markdown(table: Acts[object]) -> str:
    """The table and the picture of an aggregate, for its page under `docs/`."""
    lines = [
        "| act | from | to | who | for | needs | clocks | second person | entered later | read by |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(table, act) for act in table.table.values()]
    return "\n".join([*lines, "", *_picture(table)])


def _line(table: Acts[object], act: Act[object]) -> str:
    is_open = set(act.on) == set(table.aggregate.states) - set(table.aggregate.final)
    kinds = [f"only {sort.title.en}" for sort in act.only] + [f"not {sort.title.en}" for sort in act.not_for]
    clocks = [f"{'every' if name == EVERY else name}: {_said(move)}" for name, move in act.clocks.items()]
    second = [", ".join([*sorted(d.roles), *sorted(d.seats)]) for d in deciders_of(act)[:1]]
    if second and isinstance(act.approval, dict):
        second = [f"{second[0]} ({', '.join(sort.title.en for sort in act.approval)})"]
    cells = [
        f"`{act.name}` {act.title.zh}",
        "any open" if is_open else ", ".join(act.on),
        act.to or "stays",
        "; ".join(who.title.en for who in act.who),
        "; ".join(kinds),
        ", ".join(act.needs),
        "; ".join(clocks),
        "; ".join(second),
        str(act.at) if act.at else "",
        ", ".join(act.tells),
    ]
    return f"| {' | '.join(cells)} |"


def _said(move: ClockMove) -> str:
    return f"{move.what} until `{move.field}`" if move.field else move.what


def _picture(table: Acts[object]) -> list[str]:
    """Every move between states; dashed names are the platform's own."""
    aggregate = table.aggregate
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {state}" for state in aggregate.begins)]
    moves: dict[tuple[str, str], list[str]] = {}
    for act in table.table.values():
        name = act.name if set(act.who) != {PLATFORM_ITSELF} else f"({act.name})"
        for state in act.on if act.to is not None else ():
            moves.setdefault((state, act.to or state), []).append(name)
    lines += [f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in moves.items()]
    return [*lines, *(f"    {state} --> [*]" for state in aggregate.final), "```"]
