"""Requests to an API server on loopback, each by a real child process."""

import base64
import json
import os
import select
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from furiosa_npu.cluster.api import METADATA_ONLY, Access, Answer, ApiRequest, complaint
from furiosa_npu.cluster.child import Call
from furiosa_npu.cluster.node import get_node, labels_of, patch_node_labels
from tests.protocol.api_server import TLS, TOKEN, Seen, api_server, kubeconfig

LONG = 60.0
"""seconds that are never waited for: what comes has come long before"""


def _ask(access: Access, request: ApiRequest, environment: Mapping[str, str] | None = None) -> Answer:
    """The answer, waited for on the descriptor as a loop would."""
    call = Call(access, (request,), environment=environment)
    while True:
        assert select.select([call], [], [], LONG)[0], "no answer"
        answers = call.receive()
        if answers is not None:
            return answers[0]


def _service_account(folder: Path, token: str = TOKEN) -> str:
    (folder / "ca.crt").write_bytes((TLS / "ca.crt").read_bytes())
    (folder / "token").write_text(token)
    return str(folder)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_pod_asks_with_its_service_account(tmp_path: Path, host: str) -> None:
    """Token and CA from the kubelet's folder, address from the environment, IPv6 too, whatever proxies are named."""
    with api_server(host) as server:
        server.nodes["n1"] = {"a": "b"}
        environment = {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "ALL_PROXY": "http://127.0.0.1:1",
        }
        answer = _ask(Access(service_account=_service_account(tmp_path)), get_node("n1"), environment)
        assert (answer.status, answer.error, labels_of(answer.body)) == (200, None, {"a": "b"})
        assert server.seen == [Seen("GET", "/api/v1/nodes/n1", None, METADATA_ONLY, None)]


def test_a_renewed_token_is_used_at_once(tmp_path: Path) -> None:
    """The kubelet renews it under our feet; nothing keeps the old one."""
    with api_server() as server:
        server.nodes["n1"] = {}
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        access = Access(service_account=_service_account(tmp_path))
        assert _ask(access, get_node("n1"), environment).status == 200
        server.token = "the-next-one"
        assert _ask(access, get_node("n1"), environment).status == 401
        _service_account(tmp_path, "the-next-one\n")
        assert _ask(access, get_node("n1"), environment).status == 200


def test_a_patch_changes_only_what_it_names(tmp_path: Path) -> None:
    """RFC 7386: a value sets, null removes, the rest stays."""
    with api_server() as server:
        server.nodes["n1"] = {"kept": "1", "old": "2"}
        request = patch_node_labels("n1", {"new": "3", "old": None})
        answer = _ask(Access(kubeconfig(tmp_path, server.url)), request)
        assert complaint(request, answer) is None
        assert server.nodes == {"n1": {"kept": "1", "new": "3"}}
        assert server.seen[0].body == {"metadata": {"labels": {"new": "3", "old": None}}}


@pytest.mark.parametrize("form", ["files", "data"])
def test_a_client_certificate_proves_who_asks(tmp_path: Path, form: str) -> None:
    """As files or as data in the kubeconfig; no token is needed then."""
    certificate, key = TLS / "client.crt", TLS / "client.key"
    if form == "files":
        user = {"client-certificate": str(certificate), "client-key": str(key)}
    else:
        user = {
            "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
            "client-key-data": base64.b64encode(key.read_bytes()).decode(),
        }
    with api_server(client_ca=True) as server:
        server.nodes["n1"], server.token = {}, None
        answer = _ask(Access(kubeconfig(tmp_path, server.url, **user)), get_node("n1"))
        assert (answer.status, answer.error) == (200, None)


def test_a_token_file_is_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    """A relative path is relative to the kubeconfig, not to the working directory."""
    (tmp_path / "token").write_text(TOKEN)
    with api_server() as server:
        server.nodes["n1"] = {}
        assert _ask(Access(kubeconfig(tmp_path, server.url, tokenFile="token")), get_node("n1")).status == 200


def test_plain_http_serves_kubectl_proxy(tmp_path: Path) -> None:
    """`kubectl proxy` listens without TLS, and adds who asks by itself."""
    with api_server(tls=False) as server:
        server.nodes["n1"], server.token = {}, None
        config = kubeconfig(tmp_path, server.url + "/", token="")
        assert _ask(Access(config), get_node("n1")).status == 200


def test_the_servers_certificate_is_tested_against_the_named_ca(tmp_path: Path) -> None:
    """Another CA is an error that names both sides; nothing was sent."""
    with api_server() as server:
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        access = Access(service_account=_service_account(tmp_path))
        (tmp_path / "ca.crt").write_bytes((TLS / "other-ca.crt").read_bytes())
        answer = _ask(access, get_node("n1"), environment)
        assert answer == Answer(
            None,
            None,
            f"{server.url}: its certificate does not stand the test (unable to get local issuer certificate) "
            f"against {tmp_path}/ca.crt",
        )
        assert server.seen == []


def test_the_certificates_name_is_tested(tmp_path: Path) -> None:
    """A certificate for another name is refused; tls-server-name says which name is meant."""
    with api_server() as server:
        server.nodes["n1"] = {}
        path = Path(kubeconfig(tmp_path, server.url))
        document = json.loads(path.read_text())
        statuses = []
        for name in ("kubernetes.test", "elsewhere.test"):
            document["clusters"][0]["cluster"]["tls-server-name"] = name
            path.write_text(json.dumps(document))
            statuses.append(_ask(Access(str(path)), get_node("n1")).status)
        assert statuses == [200, None]


def test_an_untrusted_server_is_believed_only_when_told_so(tmp_path: Path) -> None:
    """insecure-skip-tls-verify, as in kubectl."""
    with api_server() as server:
        server.nodes["n1"] = {}
        path = Path(kubeconfig(tmp_path, server.url))
        document = json.loads(path.read_text())
        document["clusters"][0]["cluster"] = {"server": server.url, "insecure-skip-tls-verify": True}
        path.write_text(json.dumps(document))
        assert _ask(Access(str(path)), get_node("n1")).status == 200


def test_an_api_server_that_is_away_is_named(tmp_path: Path) -> None:
    """Connection refused: the address and the likely fault."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}"
        answer = _ask(Access(kubeconfig(tmp_path, url)), get_node("n1"))
    assert answer.error == f"{url}: cannot connect (Connection refused): is the API server away?"


@pytest.mark.parametrize(
    ("environment", "break_what", "error"),
    [
        ({}, None, "environment variable KUBERNETES_SERVICE_HOST: found nothing, expected the API server's address"),
        ({"KUBERNETES_SERVICE_HOST": "127.0.0.1"}, "token", "{0}/token: found No such file or directory, expected a"),
        ({"KUBERNETES_SERVICE_HOST": "127.0.0.1"}, "ca.crt", "{0}/ca.crt: found No such file or directory, expected a"),
    ],
)
def test_what_a_pod_lacks_is_named(
    tmp_path: Path, environment: dict[str, str], break_what: str | None, error: str
) -> None:
    """The variable or the file, what was found, what was expected."""
    access = Access(service_account=_service_account(tmp_path))
    if break_what:
        (tmp_path / break_what).unlink()
    answer = _ask(access, get_node("n1"), environment)
    assert (answer.error or "").startswith(error.format(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("token", "", "{0}/token: found nothing, expected a bearer token"),
        ("token", "a\r\nX-Evil: 1", "{0}/token: found other characters than a token has, expected a bearer token"),
        ("ca.crt", "not PEM", "{0}/ca.crt: found no certificate ("),
    ],
)
def test_a_broken_service_account_file_is_named(tmp_path: Path, name: str, content: str, error: str) -> None:
    """Nothing odd goes into a header, nothing is believed without a CA."""
    access = Access(service_account=_service_account(tmp_path))
    (tmp_path / name).write_text(content)
    answer = _ask(access, get_node("n1"), {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"})
    assert (answer.error or "").startswith(error.format(tmp_path))


def test_missing_rights_are_said_as_such(tmp_path: Path) -> None:
    """403: the server's own message, and the right that is missing."""
    message = 'nodes "n1" is forbidden: User "u" cannot patch resource "nodes" in API group "" at the cluster scope'
    with api_server() as server:
        server.answers["PATCH"] = (403, {"kind": "Status", "message": message})
        request = patch_node_labels("n1", {"a": "b"})
        said = complaint(request, _ask(Access(kubeconfig(tmp_path, server.url)), request))
    assert said == (
        f"PATCH /api/v1/nodes/n1: the API server answered 403 ({message}): "
        "the right to patch nodes is missing (ClusterRole and its binding)"
    )


def test_an_answer_that_is_no_json_is_no_crash(tmp_path: Path) -> None:
    """Something else listens there: its text stands in the complaint."""
    with api_server() as server:
        server.answers["GET"] = (502, "<html>bad gateway</html>")
        request = get_node("n1")
        said = complaint(request, _ask(Access(kubeconfig(tmp_path, server.url)), request))
    assert said == (
        "GET /api/v1/nodes/n1: the API server answered 502 (<html>bad gateway</html>): it has trouble of its own"
    )


def test_a_server_that_says_nothing_runs_into_the_timeout(tmp_path: Path) -> None:
    """The child gives up by itself."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        answer = _ask(Access(kubeconfig(tmp_path, url), timeout_seconds=0.2), get_node("n1"))
    assert answer.error == f"{url}: no answer within 0.2 s from the API server"


def test_an_abandoned_call_leaves_no_process_behind(tmp_path: Path) -> None:
    """The child is killed and reaped at once, even in the middle of a request."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        call = Call(Access(kubeconfig(tmp_path, url), timeout_seconds=60), (get_node("n1"),), lambda: 100.0)
        assert call.deadline == 280.0
        silent.settimeout(LONG)
        connection, _ = silent.accept()
        started = time.monotonic()
        assert call.receive() is None
        assert call.abandon() == (Answer(None, None, "the API server was asked and nothing came within 180 s"),)
        assert time.monotonic() - started < 30
        connection.settimeout(LONG)
        while connection.recv(4096):
            pass  # the request; its end shows that the child is gone
        connection.close()


def test_a_child_that_dies_is_an_error(tmp_path: Path) -> None:
    """Killed from outside (the kernel's OOM killer): said, with the signal."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        call = Call(Access(kubeconfig(tmp_path, url)), (get_node("n1"),))
        silent.settimeout(LONG)
        connection, _ = silent.accept()
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in children:
            if "furiosa_npu.cluster.request" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(int(child), signal.SIGKILL)
        assert select.select([call], [], [], LONG)[0]
        answers = call.receive()
        connection.close()
    assert answers == (Answer(None, None, "the child that asks the API server ended with -9 and without an answer"),)


def test_requests_of_one_call_go_over_one_connection_and_each_is_answered(tmp_path: Path) -> None:
    """In their order; a refusal of one is no matter of the next."""
    with api_server() as server:
        server.nodes["n1"] = {"a": "b"}
        call = Call(Access(kubeconfig(tmp_path, server.url)), [get_node(name) for name in ("n1", "n2", "n1")])
        answers = None
        while answers is None:
            assert select.select([call], [], [], LONG)[0]
            answers = call.receive()
        assert [answer.status for answer in answers] == [200, 404, 200]
        assert server.connections == 1


def test_what_was_answered_before_the_server_broke_off_counts(tmp_path: Path) -> None:
    """The rest was not sent, and has the error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        call = Call(Access(kubeconfig(tmp_path, url)), [get_node(name) for name in ("n1", "n2", "n3")])
        server.settimeout(LONG)
        connection, _ = server.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connection.recv(65536)
        connection.close()
        answers = None
        while answers is None:
            assert select.select([call], [], [], LONG)[0]
            answers = call.receive()
    error = f"{url}: the API server broke off (Remote end closed connection without response)"
    assert answers == (Answer(200, {}, None), Answer(None, None, error), Answer(None, None, error))
