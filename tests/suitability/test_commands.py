"""`careline questionnaire prove` and `careline verify-evidence`, without a platform."""

import base64
import json
from pathlib import Path

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from careline.questionnaire import app, verify_evidence
from careline.refusals import WrongArgument
from tests.suitability.test_evidence import KEY, SMALL

runner = CliRunner()


def test_prove_prints_level_and_count() -> None:
    done = runner.invoke(app, ["prove", "SEED-2010-12Q"])
    assert done.exit_code == 0
    assert done.stdout == "VERY_LOW 1015\nLOW 27186965\nMEDIUM 48584380\nHIGH 4579640\n"


def test_prove_refuses_with_reasons(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"code": "T", "scheme": "C5R5", "title": {}, "questions": [], "bands": []}))
    done = runner.invoke(app, ["prove", str(file)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there are no questions" in done.stderr
    assert isinstance(runner.invoke(app, ["prove", "NONE"]).exception, WrongArgument)
    file.write_text("{")
    assert isinstance(runner.invoke(app, ["prove", str(file)]).exception, WrongArgument)


OTHER = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()


def test_verify_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_HOME", str(tmp_path / "none"))
    file = tmp_path / "evidence.json"
    file.write_bytes(SMALL)
    verify_evidence(file, base64.b64encode(KEY.public_key().public_bytes_raw()).decode())
    assert capsys.readouterr().out.startswith("valid: decision d-1 PASS")
    for wrong, code, said in ((None, 3, "consistent, signer unknown"), (OTHER, 1, "NOT VALID")):
        with pytest.raises(typer.Exit) as ended:
            verify_evidence(file, wrong)
        assert ended.value.exit_code == code
        assert capsys.readouterr().out.startswith(said)
    file.write_bytes(SMALL.replace(b'"LOW"', b'"MEDIUM"'))
    with pytest.raises(typer.Exit):
        verify_evidence(file)
    file.write_bytes(b"nothing")
    with pytest.raises(WrongArgument):
        verify_evidence(file)
    with pytest.raises(WrongArgument):
        verify_evidence(file, "no key")
