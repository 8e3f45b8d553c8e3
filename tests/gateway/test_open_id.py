"""Sign-in through OpenID Connect, against a real issuer on this machine."""

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Form
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway.app import gateway_app
from gateway.auth_middleware import COOKIE
from gateway.settings import GatewaySettings
from tests.gateway.conftest import BASE
from tests.gateway.test_views import _served
from tests.world import World


class Issuer:
    """A small OpenID provider: discovery, keys, authorization with PKCE, tokens."""

    def __init__(self) -> None:
        self.url = ""
        self.slash = ""
        self.ends: dict[str, str] = {}
        self.key = RSAKey.generate_key(2048, auto_kid=True)
        self.signs_with = self.key
        self.claims: dict[str, Any] = {"sub": "li", "careline_role": "agent", "careline_branch": "B7"}
        self.codes: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.published)
        self.app.get("/keys")(self.keys)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)

    def published(self) -> dict[str, str]:
        return {
            "issuer": self.url + self.slash,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        } | self.ends

    def keys(self) -> JSONResponse:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    def authorize(self, redirect_uri: str, state: str, nonce: str, code_challenge: str, client_id: str) -> Response:
        code = secrets.token_urlsafe()
        self.codes[code] = {"nonce": nonce, "challenge": code_challenge, "aud": client_id}
        return RedirectResponse(f"{redirect_uri}?code={code}&state={state}", 303)

    def token(self, code: str = Form(), code_verifier: str = Form(), client_secret: str = Form()) -> Response:
        begun = self.codes.pop(code, None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
        if begun is None or begun["challenge"] != challenge or client_secret != "a secret":
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.url + self.slash,
            "aud": begun["aud"],
            "nonce": begun["nonce"],
            "iat": now,
            "exp": now + 60,
        } | self.claims
        header = {"alg": "RS256", "kid": self.signs_with.kid}
        return JSONResponse({"id_token": jwt.encode(header, claims, self.signs_with), "token_type": "Bearer"})


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    async with _served(issuer.app) as issuer.url:
        yield issuer


@asynccontextmanager
async def browser_of(world: World, issuer: Issuer, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    own = GatewaySettings(oidc_issuer=issuer.url, oidc_client_secret="a secret", public_url=BASE, **more)
    app = gateway_app(world.settings, world.database("gateway"), {}, own=own)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


@pytest.fixture
async def browser(world: World, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with browser_of(world, issuer) as client:
        yield client


async def _signed_in_by(browser: httpx.AsyncClient) -> httpx.Response:
    away = await browser.get("/sign-in/openid")
    async with httpx.AsyncClient() as outside:
        back = (await outside.get(away.headers["location"])).headers["location"]
    assert back.startswith(BASE)
    return await browser.get(back)


async def test_a_person_comes_back_signed_in(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    done = await _signed_in_by(browser)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert "httponly" in done.headers["set-cookie"].lower()
    assert browser.cookies[COOKIE]
    page = await browser.get("/")
    assert (page.status_code, "oidc:li" in page.text) == (200, True)


async def test_the_provider_may_change_its_keys(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    await _signed_in_by(browser)
    issuer.key = issuer.signs_with = RSAKey.generate_key(2048, auto_kid=True)
    assert (await _signed_in_by(browser)).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"careline_role": "emperor"},
        {"careline_role": "system"},
        {"aud": "somebody else"},
        {"iss": "http://elsewhere.test"},
        {"exp": 1},
        {"nonce": "another"},
        {"azp": "another client"},
        {"aud": ["careline", "another client"]},
        {"sub": 7},
        {"careline_role": ["agent", "hq"]},
        {"careline_role": {"agent": True}},
        {"careline_role": []},
        {"careline_role": [["agent"]]},
        {"careline_branch": ["B7", "B8"]},
        {"careline_branch": 7},
        {"careline_branch": None},
        {"careline_branch": []},
    ],
)
async def test_claims_that_do_not_fit_are_refused(browser, issuer: Issuer, claims: dict[str, Any]) -> None:
    issuer.claims = issuer.claims | claims
    refused = await _signed_in_by(browser)
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/not-accepted")
    assert COOKIE not in browser.cookies


@pytest.mark.parametrize(
    "claims",
    [
        {"careline_role": ["agent", "a role of another application"]},
        {"careline_role": ["agent"], "careline_branch": ["B7"]},
        {"azp": "careline", "aud": ["careline", "another client"]},
        {"careline_role": "hq", "careline_branch": None},
    ],
)
async def test_claims_as_lists_are_read(browser: httpx.AsyncClient, issuer: Issuer, claims: dict[str, Any]) -> None:
    issuer.claims = issuer.claims | claims
    assert (await _signed_in_by(browser)).status_code == 303


async def test_the_providers_words_are_mapped_to_roles(world: World, issuer: Issuer) -> None:
    issuer.claims["careline_role"] = ["/Securities/Branch staff", "/Everybody"]
    roles = "/Securities/Branch staff=agent, Compliance=compliance"
    async with browser_of(world, issuer, oidc_roles=roles) as browser:
        assert (await _signed_in_by(browser)).status_code == 303


@pytest.mark.parametrize("roles", ["Sales", "=agent", "Sales=emperor", "Sales=client", "Sales=agent,Everybody"])
def test_a_mapping_that_names_no_role_of_staff_is_refused_at_load(roles: str) -> None:
    with pytest.raises(ValueError, match="word=role"):
        GatewaySettings(oidc_roles=roles)


async def _sign_out(browser: httpx.AsyncClient) -> str:
    proof = re.search(r'"X-CSRF-Token": "(\w+)"', (await browser.get("/")).text)
    assert proof is not None
    return (await browser.post("/sign-out", headers={"x-csrf-token": proof[1]})).headers["hx-redirect"]


async def test_who_came_through_the_provider_signs_out_there_too(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.ends = {"end_session_endpoint": f"{issuer.url}/end?of=us"}
    await _signed_in_by(browser)
    cookie = browser.cookies[COOKIE]
    place = await _sign_out(browser)
    assert place.startswith(f"{issuer.url}/end?of=us&")
    assert parse_qs(urlsplit(place).query) == {
        "of": ["us"],
        "client_id": ["careline"],
        "post_logout_redirect_uri": [f"{BASE}/sign-in"],
    }
    browser.cookies.set(COOKIE, cookie)
    assert (await browser.get("/")).headers.get("location", "").startswith("/sign-in")


async def test_a_provider_without_a_place_to_sign_out_leaves_it_at_ours(browser: httpx.AsyncClient) -> None:
    await _signed_in_by(browser)
    assert await _sign_out(browser) == "/sign-in"


async def test_an_issuer_may_end_with_a_slash(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.slash = "/"
    assert (await _signed_in_by(browser)).status_code == 303


async def test_a_beginning_that_was_tampered_with_is_refused(browser: httpx.AsyncClient) -> None:
    for kept in ("{}", "[]", '{"state": ""}', '{"state": "s", "nonce": "n"}', '{"state": 1}'):
        answer = await browser.get(
            "/sign-in/openid/back?code=x&state=s", headers={"cookie": f"careline_openid={kept.encode().hex()}"}
        )
        assert answer.status_code == 401, kept


async def test_a_strangers_signature_is_refused(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.signs_with = RSAKey.generate_key(2048, auto_kid=True)
    assert (await _signed_in_by(browser)).status_code == 401


async def test_a_code_is_worth_nothing_elsewhere(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    await browser.get("/sign-in/openid")
    stolen = await browser.get("/sign-in/openid/back?code=x&state=forged")
    unbegun = await browser.get("/sign-in/openid/back?code=x&state=y", headers={"cookie": ""})
    assert (stolen.status_code, unbegun.status_code) == (401, 401)
    location = (await browser.get("/sign-in/openid")).headers["location"]
    asked = parse_qs(urlsplit(location).query)
    assert asked["code_challenge_method"] == ["S256"]
    wrong_code = await browser.get(f"/sign-in/openid/back?code=guessed&state={asked['state'][0]}")
    assert wrong_code.status_code == 401


async def test_a_provider_that_is_away_is_503(world: World) -> None:
    own = GatewaySettings(oidc_issuer="http://127.0.0.1:9", public_url=BASE)
    app = gateway_app(world.settings, world.database("gateway"), {}, own=own)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as browser:
        assert (await browser.get("/sign-in/openid")).status_code == 503
    await asyncio.sleep(0)
