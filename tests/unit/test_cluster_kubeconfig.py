"""kubeconfigs: what is taken, what is refused, and how that is said."""

import base64
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.connection import AccessError, Connection, Secret, in_cluster
from furiosa_npu.cluster.kubeconfig import parse_kubeconfig

CLUSTER: dict[str, object] = {"server": "https://h:6443/", "certificate-authority": "ca.crt"}


def _text(
    cluster: dict[str, object] | None = None,
    user: dict[str, object] | None = None,
    top: Mapping[str, object] | None = None,
) -> str:
    document: dict[str, object] = {
        "current-context": "x",
        "contexts": [{"name": "other"}, {"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": CLUSTER if cluster is None else cluster}],
        "users": [{"name": "u", "user": user or {}}],
    }
    return json.dumps(document | dict(top or {}))


def test_files_are_relative_to_the_kubeconfig() -> None:
    """As kubectl reads it."""
    user: dict[str, object] = {"tokenFile": "t", "token": "old", "client-certificate": "/abs/c.crt", "client-key": "k"}
    assert parse_kubeconfig(_text(user=user), "/etc/k/config") == Connection(
        server="https://h:6443",
        ca=Secret("/etc/k/config: clusters[c].certificate-authority: /etc/k/ca.crt", "/etc/k/ca.crt", None),
        token=Secret("/etc/k/config: users[u].tokenFile: /etc/k/t", "/etc/k/t", None),
        certificate=Secret("/etc/k/config: users[u].client-certificate: /abs/c.crt", "/abs/c.crt", None),
        key=Secret("/etc/k/config: users[u].client-key: /etc/k/k", "/etc/k/k", None),
    )


def test_data_wins_over_files() -> None:
    """As in client-go; the certificate's data goes by no disk."""
    cluster = CLUSTER | {"certificate-authority-data": base64.b64encode(b"PEM").decode(), "tls-server-name": "n"}
    assert parse_kubeconfig(_text(cluster, {"token": "t"}), "f") == Connection(
        server="https://h:6443",
        ca=Secret("f: clusters[c].certificate-authority-data", None, b"PEM"),
        token=Secret("f: users[u].token", None, b"t"),
        certificate=None,
        key=None,
        server_name="n",
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: [", "f: found what is no YAML ("),
        ("", "f: found NoneType, expected a kubeconfig (a mapping)"),
        ("{}", "f: current-context: found nothing, expected a text"),
        (_text(top={"current-context": 1}), "f: current-context: found int, expected a text"),
        (_text(top={"current-context": "y"}), "f: contexts: found no entry named 'y' with a context, expected one"),
        (_text(top={"clusters": "c"}), "f: clusters: found no entry named 'c' with a cluster, expected one"),
        (_text(top={"users": [{"name": "u"}]}), "f: users: found no entry named 'u' with a user, expected one"),
        (_text({}), "f: clusters[c].server: found nothing, expected a text"),
        (_text({"server": "h:6443"}), "f: clusters[c].server: found 'h:6443', expected https://HOST:PORT"),
        (_text(CLUSTER | {"proxy-url": "http://p"}), "f: clusters[c].proxy-url: not supported, expected a server"),
        (
            _text(user={"exec": {"command": "aws"}}),
            "f: users[u].exec: not supported, expected a token or a certificate",
        ),
        (
            _text(user={"client-key-data": "%"}),
            "f: users[u].client-key-data: found what is no base64, expected PEM in base64",
        ),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(text: str, error: str) -> None:
    """A way in that we do not speak is refused, never passed over."""
    with pytest.raises(AccessError) as caught:
        parse_kubeconfig(text, "f")
    assert str(caught.value).startswith(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["current-context", "contexts", "clusters", "users"]), JSON), JSON)
def test_no_document_breaks_the_reader(top: dict[str, object], cluster: object) -> None:
    """Any YAML is a connection or refused with the file's name."""
    document = json.loads(_text()) | {"clusters": [{"name": "c", "cluster": cluster}]} | top
    refusal = "f: "
    try:
        parse_kubeconfig(json.dumps(document), "f")
    except AccessError as error:
        refusal = str(error)
    assert refusal.startswith("f: ")


@pytest.mark.parametrize(
    ("host", "server"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_a_pod_finds_the_api_server_in_its_environment(host: str, server: str) -> None:
    """IPv6 gets its brackets; token and CA are the kubelet's files."""
    assert in_cluster({"KUBERNETES_SERVICE_HOST": host}, "/sa") == Connection(
        server, Secret("/sa/ca.crt", "/sa/ca.crt", None), Secret("/sa/token", "/sa/token", None), None, None
    )
