"""Sign-in through an OpenID Connect provider: discovery, authorization code with PKCE, ID token checked by its JWKS."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.actor import Actor, Role
from chassis.errors import Text, Unauthenticated, Unavailable
from gateway.settings import GatewaySettings, roles_of

ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]
LEEWAY_SECONDS = 30
SECONDS = 10.0
PREFIX = "oidc:"
"""Before the provider's `sub` in the name of who came through it."""


class NotAccepted(Unauthenticated):
    """The provider's answer does not fit this sign-in, or carries no role of ours."""

    title = Text("The sign-in was not accepted", "登录未被接受")


class OpenId:
    """One provider. What it publishes is read when first needed, its keys again when an unknown one signs."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.issuer = (settings.oidc_issuer or "").rstrip("/")
        self.roles = roles_of(settings.oidc_roles)
        self._published: dict[str, Any] | None = None
        self._keys: KeySet | None = None

    @property
    def back_url(self) -> str:
        """Where the provider sends people back to."""
        return f"{(self.settings.public_url or '').rstrip('/')}/sign-in/openid/back"

    async def start(self) -> tuple[str, dict[str, str]]:
        """Where to send the browser, and what to remember until it is back.

        Raises: Unavailable when the provider does not answer.
        """
        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(kept["verifier"].encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.settings.oidc_client_id,
            "redirect_uri": self.back_url,
            "scope": "openid profile",
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{(await self._provider())['authorization_endpoint']}?{urlencode(asked)}", kept

    async def finish(self, kept: dict[str, str], state: str, code: str) -> Actor:
        """Who came back.

        Raises: NotAccepted; Unavailable when the provider does not answer.
        """
        begun = all(kept.get(name) for name in ("state", "nonce", "verifier"))
        if not begun or not secrets.compare_digest(state.encode(), kept["state"].encode()):
            raise NotAccepted(Text("the sign-in was begun elsewhere", "登录并非由此处发起"))
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.back_url,
            "client_id": self.settings.oidc_client_id,
            "code_verifier": kept["verifier"],
        }
        if self.settings.oidc_client_secret:
            form["client_secret"] = self.settings.oidc_client_secret.get_secret_value()
        answer = await self._ask("POST", (await self._provider())["token_endpoint"], form)
        return self._actor(await self._claims(str(answer.get("id_token", ""))), kept["nonce"])

    async def sign_out_url(self) -> str | None:
        """Where to send the browser to end the provider's own session too (RP-initiated logout); None when the provider
        publishes no such place, or does not answer: our session is over either way."""
        try:
            place = (await self._provider()).get("end_session_endpoint")
        except (Unavailable, NotAccepted):
            return None
        back = f"{(self.settings.public_url or '').rstrip('/')}/sign-in"
        asked = urlencode({"client_id": self.settings.oidc_client_id, "post_logout_redirect_uri": back})
        return f"{place}{'&' if '?' in place else '?'}{asked}" if isinstance(place, str) else None

    async def _claims(self, token: str) -> dict[str, Any]:
        for fresh in (False, True):
            if self._keys is None or fresh:
                published = await self._ask("GET", (await self._provider())["jwks_uri"])
                try:
                    self._keys = KeySet.import_key_set(published)  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise Unavailable(Text("the provider's keys cannot be read", "无法读取身份提供方的密钥")) from error
            try:
                claims: dict[str, Any] = jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
            except (JoseError, ValueError) as error:
                if fresh:
                    raise NotAccepted(Text("the ID token is not signed by the provider", "ID 令牌签名无效")) from error
                continue
            rules = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": (await self._provider())["issuer"]},
                aud={"essential": True, "value": self.settings.oidc_client_id},
                exp={"essential": True},
                sub={"essential": True},
            )
            try:
                rules.validate(claims)
            except JoseError as error:
                raise NotAccepted(Text(f"the ID token does not fit: {error}", f"ID 令牌不符：{error}")) from error
            return claims
        raise AssertionError("two tries end in claims or a refusal")

    def _actor(self, claims: dict[str, Any], nonce: str) -> Actor:
        if claims.get("nonce") != nonce:
            raise NotAccepted(Text("the ID token belongs to another sign-in", "ID 令牌属于另一次登录"))
        azp, audience = claims.get("azp"), claims.get("aud")
        if azp not in (None, self.settings.oidc_client_id) or (
            azp is None and isinstance(audience, list) and audience[1:]
        ):
            raise NotAccepted(
                Text("the ID token was made for another client (azp)", "ID 令牌颁发给了其他客户端（azp）")
            )
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise NotAccepted(Text("the ID token names nobody", "ID 令牌未指明用户"))
        said = [self.roles.get(one, one) for one in self._texts(claims, self.settings.oidc_role_claim, longest=1000)]
        ours = [Role(one) for one in said if one in set(Role)]
        if len(set(ours)) != 1:
            raise NotAccepted(
                Text("the provider names several roles for you here", "身份提供方给出了多个角色")
                if ours
                else Text("the provider names no role for you here", "身份提供方未给出角色")
            )
        if ours[0] in {Role.CLIENT, Role.SYSTEM}:
            raise NotAccepted(Text("this console is for staff", "本控制台仅供员工使用"))
        branches = set(self._texts(claims, self.settings.oidc_branch_claim))
        if len(branches) > 1:
            raise NotAccepted(Text("the provider names several branches for you", "身份提供方给出了多个营业部"))
        return Actor(f"{PREFIX}{claims['sub']}", ours[0], None, next(iter(branches), None))

    @staticmethod
    def _texts(claims: dict[str, Any], name: str, longest: int = 64) -> list[str]:
        """A claim that is a text or a list of texts.

        Raises: NotAccepted for anything else.
        """
        value = claims.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(one, str) and 0 < len(one) <= longest for one in values):
            raise NotAccepted(
                Text(f"the claim {name} is neither a text nor a list of texts", f"声明 {name} 的格式不正确")
            )
        return values

    async def _provider(self) -> dict[str, Any]:
        if self._published is None:
            published = await self._ask("GET", f"{self.issuer}/.well-known/openid-configuration")
            wanted = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if not all(isinstance(published.get(name), str) for name in wanted):
                raise Unavailable(Text("the provider's configuration is not complete", "身份提供方配置不完整"))
            if published["issuer"].rstrip("/") != self.issuer:
                raise NotAccepted(Text("the provider says it is another", "身份提供方标识不符"))
            self._published = published
        return self._published

    async def _ask(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=SECONDS) as client:
                answer = await client.request(method, url, data=form)
        except httpx.HTTPError as error:
            raise Unavailable(Text("the sign-in provider does not answer", "身份提供方未响应")) from error
        if answer.status_code >= 500:
            raise Unavailable(Text("the sign-in provider has a fault", "身份提供方出错"))
        if answer.status_code >= 400:
            raise NotAccepted(Text("the provider refused the sign-in", "身份提供方拒绝登录"))
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unavailable(Text("the sign-in provider's answer is not JSON", "身份提供方返回的不是 JSON"))
        return found
