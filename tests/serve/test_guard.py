"""Who may ask, and what a browser may do with the answer."""

import pytest
from starlette.testclient import TestClient

from disentone.serve.app import create_app

HEALTH = "/api/v1/health"
TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def closed(served):
    return create_app(served, token=TOKEN)


OTHER_HOSTS = (
    "evil.example", "localhost.evil.example", "localhost:1", "localhost.", "localhost.:80", "",
    "[::1", "[::1]", "127.1", "0.0.0.0", "user@localhost", "localhost:80@evil.example",
)  # fmt: skip


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_another_host_is_refused_without_a_token(client, host):
    answer = client.get(HEALTH, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json()["error"] == "This server answers at its own address only: localhost:80."


@pytest.mark.parametrize("host", ["localhost", "localhost:80", "LOCALHOST"])
def test_the_served_address_is_answered(client, host):
    assert client.get(HEALTH, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("socket", "right", "wrong"),
    [
        (("127.0.0.1", 8765), "127.0.0.1:8765 localhost:8765", "127.0.0.1 [::1]:8765 localhost"),
        (("::1", 8765), "[::1]:8765 localhost:8765", "::1:8765 127.0.0.1:8765 [::1]"),
        (("127.0.0.1", 80), "127.0.0.1 localhost localhost:80", "localhost:8765 [::1]"),
    ],
)
def test_the_address_is_that_of_the_socket(served, socket, right, wrong):
    address = f"[{socket[0]}]" if ":" in socket[0] else socket[0]
    there = TestClient(create_app(served), base_url=f"http://{address}:{socket[1]}")
    for host in right.split():
        assert there.get(HEALTH, headers={"Host": host}).status_code == 200, host
    for host in wrong.split():
        assert there.get(HEALTH, headers={"Host": host}).status_code == 421, host


OTHER_SITES = (
    "https://evil.example", "null", "http://localhost:1", "https://localhost", "http://localhost.",
    "http://user@localhost", "http://user:word@localhost", "localhost", "//localhost", "",
    "http://localhost/", "http://127.0.0.1", "ws://localhost", "http://localhost.evil.example",
)  # fmt: skip


@pytest.mark.parametrize("origin", OTHER_SITES)
def test_other_sites_are_refused(client, origin):
    answer = client.post("/api/v1/search", json={}, headers={"Origin": origin})
    assert answer.status_code == 403


def test_the_page_itself_is_no_other_site(client):
    answer = client.get(HEALTH, headers={"Origin": "http://localhost"})
    assert answer.status_code == 200


def test_behind_a_proxy_the_page_has_the_scheme_of_the_proxy(closed):
    """uvicorn takes it from X-Forwarded-Proto."""
    sent = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://any.example"}
    for scheme, status in (("https", 200), ("http", 403)):
        there = TestClient(closed, base_url=f"{scheme}://any.example")
        assert there.get(HEALTH, headers=sent).status_code == status


def test_everything_needs_the_token(closed):
    client = TestClient(closed, base_url="http://any.example")
    for address in ("/", HEALTH, "/static/main.js", "/api/v1/openapi.json", "/?token=wrong"):
        answer = client.get(address)
        assert answer.status_code == 401
        assert answer.json()["error"].startswith("This server needs its token")


def test_a_token_is_taken_as_a_header_or_moved_to_a_cookie(closed):
    client = TestClient(closed, base_url="http://any.example", follow_redirects=False)
    assert client.get(HEALTH, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get(HEALTH, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
    first = client.get(f"/?token={TOKEN}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict"} <= set(first.headers["set-cookie"].split("; "))
    assert client.get("/").status_code == 200


def test_a_strange_cookie_is_no_token(closed):
    client = TestClient(closed)
    for cookie in ("disentone-token=", "disentone-token=%00", "=;;;\x7f", "disentone-token=é"):
        answer = client.get(HEALTH, headers={"Cookie": cookie.encode("utf-8")})
        assert answer.status_code == 401


def test_answers_carry_a_strict_policy(client):
    headers = [client.get(address).headers for address in ("/", "/", HEALTH, "/nowhere")]
    for given in headers:
        policy = given["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert given["x-content-type-options"] == "nosniff"
    assert headers[0]["content-security-policy"] != headers[1]["content-security-policy"]


def test_the_page_knows_its_nonce(client):
    page = client.get("/")
    nonce = page.headers["content-security-policy"].split("'nonce-")[1].split("'")[0]
    assert f'<meta name="nonce" content="{nonce}">' in page.text


def test_a_long_request_is_refused_before_it_is_read(client):
    answer = client.post("/api/v1/search", content=b"[" * (2**20 + 1))
    assert (answer.status_code, answer.json()["error"]) == (413, "This request is too long.")


def test_a_request_of_unknown_length_is_refused(client):
    answer = client.post("/api/v1/search", content=iter([b"{", b"}"]))
    assert answer.status_code == 411
