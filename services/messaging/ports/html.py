"""HTML of mails: styles inlined, everything that could run, load or hide removed, and its plain words."""

import html as entities

ALLOWED_TAGS = frozenset((
    "p", "br", "h1", "h2", "h3", "h4", "ul", "ol", "li", "b", "strong", "i", "em", "u", "s", "sub", "sup", "blockquote", "hr",
    "table", "thead", "tbody", "tr", "th", "td", "span", "div", "a",
))  # fmt: skip
ALLOWED_STYLES = frozenset((
    "color", "background-color", "font-size", "font-weight", "font-style", "text-align", "text-decoration", "line-height",
    "padding", "margin", "border", "border-collapse", "width",
))  # fmt: skip
ATTRIBUTES = {
    "*": {"style"},
    "a": {"href"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
BREAKS = frozenset(("p", "br", "h1", "h2", "h3", "h4", "li", "tr", "div", "blockquote", "hr"))
_FRAME = """<!DOCTYPE html><html><head><meta charset="utf-8"></head>\
<body style="font-family: 'Microsoft YaHei', sans-serif; font-size: 15px; line-height: 1.6">{}</body></html>"""


def cleaned(given: str) -> str:
    """A fragment of HTML as a mail may carry it: its own styles inlined, then nothing but what is allowed. No picture, script,
    form or address of another server is loaded; links lead to https or mailto."""
    import css_inline
    import nh3

    # The inliner reads no sheet from anywhere: what is to be styled is styled by the mail itself.
    styled = css_inline.CSSInliner(load_remote_stylesheets=False).inline(given) if given.strip() else ""
    made: str = nh3.clean(
        styled,
        tags=set(ALLOWED_TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        url_schemes={"https", "mailto"},
        filter_style_properties=set(ALLOWED_STYLES),
    )
    return made.strip()


def plain_words(given: str) -> str:
    """What a reader of cleaned HTML sees: its words, a line for each block."""
    import nh3

    for tag in BREAKS:
        given = given.replace(f"<{tag}", f"\n<{tag}")
    bare: str = nh3.clean(given, tags=set())
    lines = (" ".join(line.split()) for line in entities.unescape(bare).splitlines())
    return "\n".join(line for line in lines if line)


def framed(before: str, inner: str, after: str) -> str:
    """A whole page: our own words before and after, as plain ones, around the cleaned fragment."""
    around = [entities.escape(one.strip()).replace("\n", "<br>") for one in (before, after)]
    return _FRAME.format("\n".join((f"<p>{around[0]}</p>", inner, f"<p>{around[1]}</p>")))
