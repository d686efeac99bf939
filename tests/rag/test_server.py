"""A group's library on a real Chroma server on this machine: kept by one, followed by others."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from glassllava.errors import LiteratureUnavailable
from rag.adding import add_files
from rag.cli import add_commands
from rag.group import GroupLibrary
from rag.index.server import Server
from rag.manifest import Manifest
from rag.opening import copy_of
from rag.server import address_of, token_for
from tests.rag.tiny import TinyEmbedder

CHROMA = Path(sys.executable).with_name("chroma")
pytestmark = [
    pytest.mark.usefixtures("loopback_in_module"),
    pytest.mark.skipif(not CHROMA.exists(), reason="the command `chroma` is not installed"),
]


class Running:
    """`chroma run` as a child process, on a free port."""

    def __init__(self, folder):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        command = [CHROMA, "run", "--path", self.folder, "--host", "127.0.0.1"]
        self.process = subprocess.Popen(
            [*map(str, command), "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
            start_new_session=True,
        )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/api/v2/heartbeat", timeout=2).read()
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, "chroma run ended"
                time.sleep(0.2)
            else:
                return
        raise AssertionError("chroma run did not answer within two minutes")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def running(tmp_path_factory, loopback_in_module):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        server = Running(tmp_path_factory.mktemp("chroma"))
        yield server
        server.stop()


@pytest.fixture
def empty(running):
    """The same server, holding nothing."""
    import chromadb

    client = chromadb.HttpClient(
        port=running.port,
        host="127.0.0.1",
        settings=chromadb.config.Settings(anonymized_telemetry=False),
    )
    for collection in client.list_collections():
        client.delete_collection(collection.name)
    return running


def opened(place, url, *, follow=True):
    place.mkdir(exist_ok=True)
    library = GroupLibrary(place, TinyEmbedder(), address_of(url, ()), None)
    library._manifest.call("primer", "left out: these tests are not about it")
    if follow:
        state = library._connected().state()
        if state is not None:
            library._follow(state)
    return library


def papers(tmp_path, **texts):
    folder = tmp_path / "papers"
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(f"# {name.title()}\n\n{text}\n")
    return folder


def passages(library, generation=None):
    holdings = library._manifest.holdings()
    at = holdings.generation if generation is None else generation
    keep = holdings.alive(at)
    return {
        (item.row, item.entry, vector.tobytes())
        for item, vector, k in zip(holdings.passages, holdings.vectors, keep, strict=True)
        if k
    }


def test_what_the_keeper_adds_all_others_find(empty, tmp_path):
    folder = papers(tmp_path, zebra="Zebra stripes came from a gasket.", crack="A crack ran far.")
    with opened(tmp_path / "keeper", empty.url) as keeper:
        assert len(add_files(keeper, [folder]).of("added")) == 2
        keeper.settle()
        with opened(tmp_path / "reader", empty.url) as reader:
            assert passages(reader) == passages(keeper)
            assert [row.title for row in reader.documents()] == ["Crack", "Zebra"]
            assert reader.search("zebra stripes gasket", 1)[0].title == "Zebra"
            before = reader.generation

            papers(tmp_path, zebra="Zebra stripes came from the pump.")
            add_files(keeper, [folder])
            keeper.remove(f"file:{folder / 'crack.md'}")
            keeper.settle()
            reader._next = 0.0  # as if two seconds had gone by
            assert "pump" in reader.search("zebra stripes came", 1)[0].text
            assert passages(reader) == passages(keeper)
            # A scan that began before still finds what was there.
            pinned = reader.pinned(before)
            assert "gasket" in pinned.search("zebra stripes gasket", 1)[0].text
            assert passages(reader, before) == passages(keeper, before)
            assert reader.check().lost == 0


def test_only_the_keeper_changes_it_until_another_becomes_it(empty, tmp_path):
    folder = papers(tmp_path, zebra="Zebra stripes came from a gasket.")
    with opened(tmp_path / "one", empty.url) as one, opened(tmp_path / "two", empty.url) as two:
        add_files(one, [folder])
        one.settle()
        papers(tmp_path, second="Second words on seals.")
        with pytest.raises(LiteratureUnavailable, match="is kept by") as caught:
            add_files(two, [folder])
        assert "library keep" in caught.value.remedy

        two.take_over()
        assert len(add_files(two, [folder]).of("added")) == 1
        two.settle()
        with pytest.raises(LiteratureUnavailable, match="is kept by"):
            one.remove(f"file:{folder / 'zebra.md'}")
        one._next = 0.0
        one.search("seals", 1)
        assert passages(one) == passages(two)


def test_a_push_that_was_cut_short_is_not_seen_and_is_finished(empty, tmp_path, monkeypatch):
    folder = papers(tmp_path, zebra="Zebra stripes came from a gasket.")
    with opened(tmp_path / "keeper", empty.url) as keeper:
        add_files(keeper, [folder])
        keeper.settle()
        with opened(tmp_path / "reader", empty.url) as reader:
            seen = passages(reader)
            papers(tmp_path, more="More words on seals.")
            add_files(keeper, [folder])
            _, told, holdings = keeper._manifest.copy()
            keeper._connected().put(holdings, told)  # and here the process dies
            keeper._dirty = False
            reader._next = 0.0
            reader.search("seals", 1)
            assert passages(reader) == seen
            with opened(tmp_path / "late", empty.url) as late:
                assert passages(late) == seen
    with opened(tmp_path / "keeper", empty.url) as again, opened(tmp_path / "n", empty.url) as new:
        assert passages(new) == passages(again) > seen


def test_passages_that_the_server_lost_are_noticed_and_mended(empty, tmp_path):
    folder = papers(tmp_path, zebra="Zebra stripes.", crack="A crack ran far.")
    with opened(tmp_path / "keeper", empty.url) as keeper:
        add_files(keeper, [folder])
        keeper.settle()
        keeper._connected().drop([1])
        with pytest.raises(LiteratureUnavailable, match="lost passages"):
            opened(tmp_path / "reader", empty.url)
        found = keeper.check()
        assert (found.lost, len(found.repaired)) == (1, 1)
        assert keeper.check().lost == 0
        with opened(tmp_path / "reader", empty.url) as reader:
            assert passages(reader) == passages(keeper)


def test_what_is_purged_is_gone_from_the_server_and_from_every_copy(empty, tmp_path):
    folder = papers(tmp_path, zebra="Zebra stripes came from a gasket.", crack="A crack ran far.")
    with opened(tmp_path / "keeper", empty.url) as keeper:
        add_files(keeper, [folder])
        keeper.settle()
        with opened(tmp_path / "reader", empty.url) as reader:
            pinned = reader.pinned(reader.generation)
            keeper.purge(f"file:{folder / 'zebra.md'}")
            keeper.settle()
            reader._next = 0.0
            reader.search("seals", 1)
            assert {row for row, _, _ in passages(reader)} == {
                row for row, _, _ in passages(keeper)
            }
            assert len(passages(reader)) == 1
            assert "erased" in pinned.notes[0]
        assert b"gasket" not in (tmp_path / "reader" / "manifest.sqlite").read_bytes()


def test_without_the_server_the_copy_answers_and_nothing_is_changed(tmp_path, tmp_path_factory):
    own = Running(tmp_path_factory.mktemp("short-lived"))
    folder = papers(tmp_path, zebra="Zebra stripes came from a gasket.")
    try:
        with opened(tmp_path / "keeper", own.url) as keeper:
            add_files(keeper, [folder])
            keeper.settle()
        with opened(tmp_path / "reader", own.url):
            pass
    finally:
        own.stop()
    with opened(tmp_path / "reader", own.url, follow=False) as reader:
        reader.hold_primer()
        assert reader.search("zebra stripes gasket", 1)[0].title == "Zebra"
        with pytest.raises(LiteratureUnavailable, match="cannot be reached"):
            reader.remove(f"file:{folder / 'zebra.md'}")
        assert len(reader.documents()) == 1
    stranger = opened(tmp_path / "stranger", own.url, follow=False)
    with stranger, pytest.raises(LiteratureUnavailable, match="cannot be reached"):
        stranger.hold_primer()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.update(generation="9"),
        lambda state: state.update(documents=[{"number": 1}]),
        lambda state: state["documents"][0].update(title=["x"]),
        lambda state: state["documents"][0].update(number=2**70),
        lambda state: state.update(purges=None),
    ],
)
def test_a_state_of_another_form_changes_nothing_here(empty, tmp_path, spoil):
    with opened(tmp_path / "keeper", empty.url) as keeper:
        add_files(keeper, [papers(tmp_path, zebra="Zebra stripes.")])
        keeper.settle()
        with opened(tmp_path / "reader", empty.url) as reader:
            seen = passages(reader)
            state = keeper._connected().state()
            spoil(state)
            state["keeper"] = "another"
            with pytest.raises(LiteratureUnavailable, match="not in the form"):
                reader._follow(state)
            assert passages(reader) == seen


def run(*words):
    parser = argparse.ArgumentParser(prog="glassview")
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["library", *map(str, words)])
    return args.run(args)


def as_person(name, url, embedded, tmp_path, monkeypatch):
    """From here on the commands are given by another person, whose copy's primer is embedded."""
    monkeypatch.setenv("GLASSVIEW_DATA_DIR", str(tmp_path / name))
    copy = copy_of(address_of(url, ()))
    if not copy.exists():
        copy.mkdir(parents=True)
        shutil.copy(embedded / "manifest.sqlite", copy)


def test_every_command_takes_the_address(empty, embedded, tmp_path, monkeypatch, capsys):
    folder = papers(tmp_path, zebra="Zebra stripes on the screen came from a loose gasket.")
    as_person("keeper", empty.url, embedded, tmp_path, monkeypatch)
    place = ("--library", empty.url)
    # Whoever looks into an empty server finds the primer, and puts nothing there.
    assert run("search", "needle fans in soda-lime glass", "-k", 1, *place) == 0
    assert "GlassView primer" in capsys.readouterr().out
    assert Server(address_of(empty.url, ()), None).state() is None
    assert run("add", folder, *place) == 0

    as_person("reader", empty.url, embedded, tmp_path, monkeypatch)
    run("list", *place)
    told = capsys.readouterr().out
    assert "Zebra: 1 passage" in told
    assert f"in {empty.url}" in told
    run("search", "zebra stripes came from a loose gasket", "-k", 1, "--json", *place)
    (passage,) = json.loads(capsys.readouterr().out)["passages"]
    assert passage["title"] == "Zebra"
    run("show", passage["id"], *place)
    run("export", "--format", "csl", *place)
    assert "gasket" in capsys.readouterr().out
    assert run("check", "--json", *place) == 0
    assert json.loads(capsys.readouterr().out)["lost"] == 0
    with pytest.raises(LiteratureUnavailable, match="is kept by"):
        run("remove", "Zebra", *place)
    assert run("keep", *place) == 0
    assert run("remove", "Zebra", "--purge", *place) == 0
    capsys.readouterr()

    as_person("keeper", empty.url, embedded, tmp_path, monkeypatch)
    run("list", "--json", *place)
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)["documents"]] == ["primer"]
    with pytest.raises(LiteratureUnavailable, match="speaks to no host but this machine"):
        run("list", "--library", "http://192.0.2.7:8000")


# Whom it speaks to


def test_a_host_beyond_this_machine_must_be_allowed():
    with pytest.raises(LiteratureUnavailable) as caught:
        address_of("https://lab.example:8000", ())
    assert 'hosts = ["lab.example"]' in caught.value.remedy
    assert address_of("https://Lab.example:8000", ("lab.example",)).url == (
        "https://lab.example:8000"
    )
    assert address_of("http://[::1]:9", ()).url == "http://[::1]:9"


@pytest.mark.parametrize(
    "place",
    ["http://", "https://127.0.0.1:99999", "http://127.0.0.1/a", "http://a:secret@127.0.0.1:1"],
)
def test_what_is_no_address_is_refused_and_its_secret_not_repeated(place):
    with pytest.raises(LiteratureUnavailable) as caught:
        address_of(place, ())
    assert caught.value.remedy
    assert "secret" not in str(caught.value)


def test_a_token_never_crosses_a_network_in_the_clear(monkeypatch):
    monkeypatch.setenv("GLASSVIEW_LIBRARY_TOKEN", "hidden")
    allowed = ("lab.example",)
    with pytest.raises(LiteratureUnavailable, match="in the clear"):
        token_for(address_of("http://lab.example:8000", allowed))
    assert token_for(address_of("https://lab.example:8000", allowed)) == "hidden"
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    with pytest.raises(LiteratureUnavailable, match="proxy"):
        address_of("http://127.0.0.1:8000", ())


class _Door(http.server.BaseHTTPRequestHandler):
    """A reverse proxy that lets in who knows the token, as a group would put before Chroma."""

    target = 0
    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, reply = 401, b'{"error":"Unauthorized","message":"who are you"}'
        if self.headers.get("Authorization") == "Bearer right":
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.target}{self.path}",
                body or None,
                {"Content-Type": "application/json"},
                method=self.command,
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    status, reply = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, reply = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def door(empty, tmp_path, monkeypatch):
    """https://127.0.0.1:PORT before the server, by a certificate that the environment trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make a certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    told = ["subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *told], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = type("Door", (_Door,), {"target": empty.port})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_https_and_a_token(door, tmp_path, monkeypatch, caplog):
    address = address_of(door, ())
    for token in (None, "wrong-token"):
        with pytest.raises(LiteratureUnavailable, match="401") as caught:
            Server(address, token)
        assert "wrong-token" not in str(caught.value)
    monkeypatch.setenv("GLASSVIEW_LIBRARY_TOKEN", "right")
    (tmp_path / "keeper").mkdir()
    with GroupLibrary(tmp_path / "keeper", TinyEmbedder(), address, token_for(address)) as library:
        add_files(library, [papers(tmp_path, zebra="Zebra stripes.")])
        library.settle()
        assert library.check().lost == 0
    state = Server(address, "right").state()
    assert state["generation"] == 1
    assert "right" not in json.dumps(state)
    assert "Bearer" not in caplog.text


def test_a_certificate_that_nobody_vouches_for_is_refused(door, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(LiteratureUnavailable, match="CERTIFICATE"):
        Server(address_of(door, ()), "right")


def test_a_server_that_is_no_chroma_is_told(tmp_path):
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>welcome</html>")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(LiteratureUnavailable, match="not as a Chroma server"):
        Server(address_of(f"http://127.0.0.1:{server.server_port}", ()), None)
    server.shutdown()
    server.server_close()
    assert Manifest(tmp_path).documents() == []


@pytest.mark.parametrize(("part", "pause", "why"), [(1_000_000, 0, "longer"), (1, 0.2, "within")])
def test_an_answer_without_an_end_is_not_waited_for(monkeypatch, part, pause, why):
    monkeypatch.setattr("rag.index.server._BEAT_S", 1.0)
    sent = []

    class Endless(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(300):
                    self.wfile.write(b"a" * part)
                    sent.append(part)
                    time.sleep(pause)
            except OSError:
                pass  # the asker has gone, which is the point

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(LiteratureUnavailable, match=why):
        Server(address_of(f"http://127.0.0.1:{server.server_port}", ()), None)
    server.shutdown()
    server.server_close()
    assert len(sent) < 100


def test_the_answers_of_chroma_are_bounded_too(running, monkeypatch):
    monkeypatch.setattr("rag.index.server._LONGEST_ANSWER", 10)
    with pytest.raises(LiteratureUnavailable, match="longer than 10 bytes"):
        Server(address_of(running.url, ()), None)
