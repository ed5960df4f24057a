"""The README's way over a registry of one's own."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.product import DEPLOYMENTS, IMAGE
from tests.cluster.registry import registry
from tests.docs.markdown import ENGLISH, commands

REGISTRY = "registry.example.com"


def _command(start: str) -> str:
    """The README's one command that begins so and names the registry."""
    (command,) = (line for line in commands(ENGLISH) if line.startswith(start) and REGISTRY in line)
    return command


def test_the_image_goes_to_a_registry(tmp_path: Path) -> None:
    """`buildah push`, as the README has it, to a registry on loopback: all of it is there under that name and tag."""
    unqualified = tmp_path / "registries.conf"
    with registry() as kept:
        unqualified.write_text(f'[[registry]]\nlocation = "{kept.address}"\ninsecure = true\n')
        environment = {
            **os.environ,
            "STORAGE_DRIVER": "vfs",
            "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(unqualified),
            "BUILDAH_ISOLATION": "chroot",
        }
        (tmp_path / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{tmp_path}/run"\ngraphroot = "{tmp_path}/root"\n'
        )
        (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY Containerfile /\n")
        for command in (f"buildah bud -t {IMAGE} {tmp_path}", _command("buildah push").replace(REGISTRY, kept.address)):
            subprocess.run(command.split(), env=environment, check=True, capture_output=True, cwd=tmp_path)
        manifest = json.loads(kept.manifests[IMAGE])
        assert {layer["digest"] for layer in [manifest["config"], *manifest["layers"]]} == kept.blobs.keys()


def test_one_line_names_the_registry(cluster: Cluster, tmp_path: Path) -> None:
    """The README's line, then `kubectl apply -k`: every container's image comes from the registry, the tag stays."""
    shutil.copytree(DEPLOYMENTS, tmp_path / "kubernetes/deployments")
    subprocess.run(["sh", "-eu", "-c", _command("echo")], cwd=tmp_path, check=True)
    folder = f"{tmp_path}/kubernetes/deployments"
    cluster.kubectl("apply", "-k", folder, "--dry-run=server")
    rendered = yaml.safe_load_all(cluster.kubectl("kustomize", folder))
    images = [
        container["image"]
        for document in rendered
        if document["kind"] == "DaemonSet"
        for container in document["spec"]["template"]["spec"]["containers"]
    ]
    assert images == [f"{REGISTRY}/{IMAGE}"] * 3
