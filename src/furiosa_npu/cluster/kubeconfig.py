"""kubeconfig (client-go, clientcmd/api/v1): text in, `Connection` out. The child's part.

Taken: server, CA, tls-server-name, insecure-skip-tls-verify, token, tokenFile, client certificate and key, each as file
or as data. Refused, because passing over them would mean another identity or another way: exec and auth-provider
plugins, user names with passwords, proxy-url.
"""

import base64
import binascii
import posixpath

from furiosa_npu.cluster.connection import AccessError, Connection, Secret


def parse_kubeconfig(text: str, file: str) -> Connection:
    """`file` is the kubeconfig's path, for errors and for relative paths in it. Raises AccessError."""
    import yaml  # a pod's own service account needs no YAML

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise AccessError(f"{file}: found what is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict):
        raise AccessError(f"{file}: found {type(document).__name__}, expected a kubeconfig (a mapping)")
    context = _named(document, file, "contexts", "context", _required(document, file, "", "current-context"))
    cluster_name = _required(context, file, "context.", "cluster")
    cluster = _named(document, file, "clusters", "cluster", cluster_name)
    user_name = _optional(context, file, "context.", "user")
    user = _named(document, file, "users", "user", user_name) if user_name else {}
    for key in ("exec", "auth-provider", "username", "password"):
        if user.get(key):
            raise AccessError(f"{file}: users[{user_name}].{key}: not supported, expected a token or a certificate")
    cluster_path, user_path = f"clusters[{cluster_name}].", f"users[{user_name}]."
    if cluster.get("proxy-url"):
        raise AccessError(f"{file}: {cluster_path}proxy-url: not supported, expected a server reached directly")
    server = _required(cluster, file, cluster_path, "server")
    if not server.startswith(("https://", "http://")):
        raise AccessError(f"{file}: {cluster_path}server: found '{server}', expected https://HOST:PORT")
    token = _optional(user, file, user_path, "token")
    given = Secret(f"{file}: {user_path}token", None, token.encode()) if token else None
    return Connection(
        server=server.rstrip("/"),
        ca=_secret(cluster, file, cluster_path, "certificate-authority"),
        token=_file(user, file, user_path, "tokenFile") or given,
        certificate=_secret(user, file, user_path, "client-certificate"),
        key=_secret(user, file, user_path, "client-key"),
        verify=cluster.get("insecure-skip-tls-verify") is not True,
        server_name=_optional(cluster, file, cluster_path, "tls-server-name") or None,
    )


def _named(document: dict[str, object], file: str, entries: str, inner: str, name: str) -> dict[str, object]:
    """The `inner` mapping of the entry called `name` in the list `entries`."""
    found = document.get(entries)
    for entry in found if isinstance(found, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(inner), dict):
            return dict(entry[inner])
    raise AccessError(f"{file}: {entries}: found no entry named '{name}' with a {inner}, expected one")


def _required(mapping: dict[str, object], file: str, path: str, key: str) -> str:
    text = _optional(mapping, file, path, key)
    if not text:
        raise AccessError(f"{file}: {path}{key}: found nothing, expected a text")
    return text


def _optional(mapping: dict[str, object], file: str, path: str, key: str) -> str:
    """Empty where there is none."""
    value = mapping.get(key)
    if value is not None and not isinstance(value, str):
        raise AccessError(f"{file}: {path}{key}: found {type(value).__name__}, expected a text")
    return value or ""


def _secret(mapping: dict[str, object], file: str, path: str, key: str) -> Secret | None:
    """`KEY-data` in base64, which wins as in client-go, else the file that `KEY` names."""
    data = _optional(mapping, file, path, f"{key}-data")
    if not data:
        return _file(mapping, file, path, key)
    where = f"{file}: {path}{key}-data"
    try:
        return Secret(where, None, base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise AccessError(f"{where}: found what is no base64, expected PEM in base64") from None


def _file(mapping: dict[str, object], file: str, path: str, key: str) -> Secret | None:
    name = _optional(mapping, file, path, key)
    if not name:
        return None
    whole = posixpath.join(posixpath.dirname(file), name)
    return Secret(f"{file}: {path}{key}: {whole}", whole, None)
