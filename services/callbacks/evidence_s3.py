"""The S3-compatible blob store: PUT and GET with Signature Version 4, no further dependency."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

import httpx

from chassis.errors import Text, Unavailable

SECONDS = 30.0
ALGORITHM = "AWS4-HMAC-SHA256"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def signed_headers(
    method: str, url: str, digest: str, when: datetime, region: str, access_key: str, secret_key: str
) -> dict[str, str]:
    """The headers of a request whose body has this SHA-256, signed for S3."""
    parts, stamp = urlsplit(url), when.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        (method, quote(parts.path), "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, digest)
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join((ALGORITHM, stamp, scope, sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, to_sign).hex()
    return headers | {
        "authorization": f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    }


class S3:
    """Blobs as objects `URL/DIGEST`; the URL names the bucket in its path."""

    def __init__(self, url: str, region: str, access_key: str, secret_key: str, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self.region = region
        self.access_key = access_key
        self.secret_key = secret_key
        self.seconds = seconds

    async def _ask(self, method: str, digest: str, content: bytes) -> httpx.Response:
        url, when = f"{self.url}/{digest}", datetime.now(UTC)
        body_digest = sha256(content).hexdigest()
        headers = signed_headers(method, url, body_digest, when, self.region, self.access_key, self.secret_key)
        try:
            async with httpx.AsyncClient(timeout=self.seconds) as http:
                return await http.request(method, url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable(Text("the blob store does not answer", "凭证存储无响应")) from error

    async def put(self, digest: str, content: bytes) -> None:
        """Store an object.

        Raises: Unavailable when the store did not take it.
        """
        answer = await self._ask("PUT", digest, content)
        if answer.status_code not in (200, 201, 204):
            raise Unavailable(
                Text(f"the blob store answered {answer.status_code}", f"凭证存储应答 {answer.status_code}")
            )

    async def get(self, digest: str) -> bytes | None:
        """Read an object; None when there is none.

        Raises: Unavailable.
        """
        answer = await self._ask("GET", digest, b"")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise Unavailable(
                Text(f"the blob store answered {answer.status_code}", f"凭证存储应答 {answer.status_code}")
            )
        return answer.content
