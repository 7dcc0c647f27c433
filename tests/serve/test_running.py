"""The verb serve: where it listens, whom it lets in, and how it ends."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import uvicorn

from disentone.errors import ArtifactError, RecipeError
from disentone.serve import running


@pytest.fixture
def started(index, monkeypatch):
    """Start a server that ends at once, and give what it announced when it was ready."""

    async def serve(self, sockets):
        assert sockets[0].getsockname()[1] > 0
        assert sockets[0].proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's delay on

    monkeypatch.setattr(uvicorn.Server, "serve", serve)

    def start(path=index.uri, **options):
        announced = []
        running.run(path, **{"port": 0} | options, ready=lambda *ready: announced.extend(ready))
        return announced

    return start


def test_it_listens_on_this_machine_only(started):
    address, served = started()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    assert (served.name, len(served.index)) == ("tones", 36)


def test_another_address_demands_a_token(started):
    tokens = set()
    for _ in range(2):
        address, _ = started(host="0.0.0.0")
        tokens.add(re.fullmatch(r"http://.+:\d+/\?token=(\S{20,})", address)[1])
    assert len(tokens) == 2
    address, _ = started(host="0.0.0.0", token="given-by-the-user")
    assert address.endswith("/?token=given-by-the-user")


@pytest.mark.parametrize("token", ["", "short"])
def test_a_token_that_is_easily_guessed_is_refused(started, token):
    with pytest.raises(RecipeError, match="easy to guess: use 12 characters or more"):
        started(token=token)


def test_a_port_that_is_taken_is_told(started):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(RecipeError, match=f"Port {port} is taken: choose another"):
            started(port=port)


@pytest.mark.parametrize("host", ["203.0.113.77", "not a host"])
def test_an_address_that_is_not_this_machines_is_told(started, host):
    with pytest.raises(RecipeError, match=rf"Cannot listen at {host}, port 0: "):
        started(host=host)


def test_no_index_and_no_model_are_told(started, tmp_path, caplog):
    with pytest.raises(ArtifactError, match="no index"):
        started(tmp_path / "none")
    with pytest.raises(ArtifactError, match="model"):
        started(model=tmp_path)
    _, served = started()
    assert served.uploads is None
    assert "Sounds cannot be uploaded" in caplog.text


def test_what_has_to_be_installed_is_told(index, monkeypatch):
    from disentone.cli.serving import serve

    monkeypatch.delitem(sys.modules, "disentone.serve.running")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(RecipeError, match=r"needs uvicorn: pip install 'disentone\[search,web\]'"):
        serve(index.uri)


def test_the_command_prints_the_address_and_ends_with_ctrl_c(index):
    command = [sys.executable, "-m", "disentone.cli", "serve", index.uri, "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{address}api/v1/health", timeout=20) as answer:
                assert b'"items":36' in answer.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
