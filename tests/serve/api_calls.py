"""Calls of the API that its tests share."""

API = "/api/v1"
ITEM = "sine/60.wav"


def search(client, **wanted):
    wanted = {"query": {"examples": [{"item": ITEM}]}} | wanted
    return client.post(f"{API}/search", json=wanted)


def problem(answer):
    body = answer.json()
    assert set(body) == {"status", "error"}
    assert body["status"] == answer.status_code
    assert body["error"].endswith((".", "?"))
    return body["error"]


OUTSIDE = [
    "../secret.wav",
    "secret.wav",
    "sine/../secret.wav",
    "/etc/passwd",
    "file:///etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "sine/60.wav\x00.png",
    "' or 1=1 or '",
    "x" * 3000,
]
