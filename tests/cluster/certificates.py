"""Certificates of the cluster's own authority, and the kubeconfig files that carry them. Made by openssl."""

import base64
from pathlib import Path

import yaml

from tests.cluster.commands import run

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
_TWO_DAYS_AGO = (
    "env",
    "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "FAKETIME=-2d",
)
"""When certificates were made: an agent whose clock goes a day slow (chaos) still takes them for valid."""
_REQUEST = (*_TWO_DAYS_AGO, "openssl", "req", "-x509", *_KEY)


class Authority:
    """A certificate authority in a folder: `ca.crt`, `ca.key` and what it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.certificate = folder / "ca.crt"
        self._key = folder / "ca.key"
        run([*_REQUEST, "-subj", "/CN=kubernetes", *self._files("ca")])

    def client(self, name: str, common_name: str, organization: str | None = None) -> tuple[Path, Path]:
        """Certificate and key of somebody: to Kubernetes the common name is the user, the organization a group."""
        subject = f"/O={organization}/CN={common_name}" if organization else f"/CN={common_name}"
        return self._sign(name, subject, "extendedKeyUsage=clientAuth")

    def server(self, name: str, alternative_names: str) -> tuple[Path, Path]:
        """Certificate and key of a server, e.g. for `DNS:kubernetes,IP:10.96.0.1`."""
        return self._sign(name, f"/CN={name}", f"subjectAltName={alternative_names}")

    def key_pair(self, name: str) -> tuple[Path, Path]:
        """A bare RSA key and its public half: service account tokens are signed with it."""
        private, public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        run(["openssl", "genrsa", "-out", str(private), "2048"])
        run(["openssl", "rsa", "-in", str(private), "-pubout", "-out", str(public)])
        return private, public

    def kubeconfig(self, name: str, server: str, common_name: str, organization: str | None = None) -> Path:
        """A kubeconfig file that holds all it needs."""
        certificate, key = self.client(name, common_name, organization)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "cluster",
            "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": name}}],
            "clusters": [
                {
                    "name": "cluster",
                    "cluster": {"server": server, "certificate-authority-data": _data(self.certificate)},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {"client-certificate-data": _data(certificate), "client-key-data": _data(key)},
                }
            ],
        }
        file = self.folder / f"{name}.kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return file

    def _sign(self, name: str, subject: str, extension: str) -> tuple[Path, Path]:
        by = ("-CA", str(self.certificate), "-CAkey", str(self._key))
        run([*_REQUEST, *by, "-subj", subject, "-addext", extension, *self._files(name)])
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def _files(self, name: str) -> list[str]:
        return ["-out", str(self.folder / f"{name}.crt"), "-keyout", str(self.folder / f"{name}.key")]


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
