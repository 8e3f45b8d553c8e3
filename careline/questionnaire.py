"""`careline questionnaire` and `careline verify-evidence`: proofs and checks that need no running platform."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from careline.refusals import WrongArgument
from chassis.errors import Text

if TYPE_CHECKING:
    from services.suitability.questionnaires.template import Template

app = typer.Typer(help="Questionnaire templates: list, prove.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_templates() -> None:
    """Print the codes of the shipped templates, one a line."""
    from services.suitability.questionnaires.library import shipped_codes

    for code in shipped_codes():
        print(code, flush=True)


@app.command()
def prove(
    template: Annotated[str, typer.Argument(help="code of a shipped template, or a template's JSON file")],
) -> None:
    """Prove that every answer sheet has exactly one level; print `LEVEL COUNT`, lowest level first.

    The score range goes to stderr. What cannot be proven is refused with every reason, exit code 1.
    """
    from services.suitability.questionnaires.proof import Unprovable
    from services.suitability.questionnaires.proof import prove as prove_template

    try:
        proof = prove_template(_template(template))
    except Unprovable as refused:
        for problem in refused.problems:
            print(f"{problem.pointer}: {problem.detail}", file=sys.stderr, flush=True)
        raise typer.Exit(1) from None
    for level, sheets in proof.by_level.items():
        print(f"{level} {sheets}", flush=True)
    print(f"totals {proof.lowest} to {proof.highest}, {proof.sheets} answer sheets", file=sys.stderr, flush=True)


def verify_evidence(
    file: Annotated[Path, typer.Argument(help="an exported evidence bundle")],
    key: Annotated[str | None, typer.Option("--key", help="the signer's public key (base64); else this home's")] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", help="the published key history of the home that signed; without --key")
    ] = None,
) -> None:
    """Check an evidence bundle offline: chain, signature, score, level and decision. Exit code 0 only when all hold and a
    trusted key signed it; 3 when all hold and the signer is unknown."""
    from careline.trust import UNKNOWN_SIGNER, trusted_keys
    from services.suitability.evidence import verify

    trusted = trusted_keys(key, keys)
    try:
        checked = verify(file.read_bytes(), *trusted)
    except ValueError as wrong:
        raise WrongArgument(Text(f"{file}: {wrong}", f"{file}: 不是证据文件")) from None
    for problem in checked.problems:
        print(problem, file=sys.stderr, flush=True)
    verdict = "NOT VALID" if checked.problems else "valid" if checked.signer_known else "consistent, signer unknown"
    print(f"{verdict}: decision {checked.decision_id} {checked.outcome} of {checked.made_at}, key {checked.key_id}")
    if verdict != "valid":
        raise typer.Exit(1 if checked.problems else UNKNOWN_SIGNER)


def _template(named: str) -> "Template":
    import msgspec

    from services.suitability.questionnaires.library import shipped, shipped_codes
    from services.suitability.questionnaires.template import read_template

    if named in shipped_codes():
        return shipped(named)
    path = Path(named)
    if not path.is_file():
        known = ", ".join(shipped_codes())
        raise WrongArgument(Text(f"there is no template {named}: choose from {known}, or give a file", "没有该模板"))
    try:
        return read_template(msgspec.json.decode(path.read_bytes()))
    except msgspec.MsgspecError as wrong:
        raise WrongArgument(Text(f"{named}: {wrong}", f"{named}: 不是调查表模板")) from None
