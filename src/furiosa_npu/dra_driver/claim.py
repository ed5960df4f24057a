"""A ResourceClaim of resource.k8s.io/v1 as the API server sends it, and what of it concerns one driver. Pure.

Source: Kubernetes `staging/src/k8s.io/api/resource/v1/types.go`.
"""

import re
from typing import NamedTuple

from furiosa_npu.cluster.node import is_dns_label, is_node_name
from furiosa_npu.dra_driver.fields import FieldError, Fields, wrong
from furiosa_npu.dra_driver.npu_config import NpuConfig, parse_npu_config

API_VERSION = "resource.k8s.io/v1"
KIND = "ResourceClaim"

_SOURCES = ("FromClass", "FromClaim")
"""in the order in which they apply: a claim's configuration beats its class's"""

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}[A-Za-z0-9]", re.ASCII)

EXPECTED_REQUEST = "a request's name, or a request's and a subrequest's with / between"


class ClaimName(NamedTuple):
    """How the kubelet names a claim: the UID says which of those that had this name."""

    namespace: str
    name: str
    uid: str

    @property
    def fault(self) -> str | None:
        """Why it cannot be a claim's name, nor part of a path, or None."""
        if _UID.fullmatch(self.uid) is None:
            return f"uid: found {self.uid[:80]!r}, expected 2 to 64 letters, digits and -, as a UUID"
        for key, text in (("namespace", self.namespace), ("name", self.name)):
            if not is_node_name(text):
                return f"{key}: found {text[:80]!r}, expected up to 253 of a-z, 0-9, - and ."
        return None

    def __str__(self) -> str:
        return f"claim {self.namespace}/{self.name} ({self.uid})"


class Result(NamedTuple):
    """One allocated device."""

    request: str
    """`npu`, or `npu/large` for a subrequest of `firstAvailable`"""
    pool: str
    device: str
    admin_access: bool
    share_id: str | None

    @property
    def base_request(self) -> str:
        """The request as pods and the kubelet name it, without the subrequest."""
        return self.request.partition("/")[0]


class Configuration(NamedTuple):
    """An NpuConfig and the requests that it is for."""

    requests: tuple[str, ...]
    """with or without subrequest; empty: all"""
    config: NpuConfig

    def is_for(self, result: Result) -> bool:
        return not self.requests or result.request in self.requests or result.base_request in self.requests


class NotFetched(NamedTuple):
    """The API server could not be asked for a claim, or what it sent is none that can be read."""

    reason: str


class Claim(NamedTuple):
    """A claim; `results` and `configurations` are those of one driver, in the order in which they count."""

    named: ClaimName
    deleted_at: str | None
    """RFC 3339; it is kept by its finalizer while pods use it"""
    results: tuple[Result, ...] | None
    """None: not allocated"""
    configurations: tuple[Configuration, ...] = ()
    """a later one wins"""
    reserved_for: tuple[str, ...] = ()
    """`pods train-0`"""

    def config_of(self, result: Result) -> NpuConfig:
        """The last one that is for the device's request counts, and it alone."""
        for configuration in reversed(self.configurations):
            if configuration.is_for(result):
                return configuration.config
        return NpuConfig()


def parse_claim(document: object, driver: str) -> Claim:
    """The claim, and of its allocation what `driver` gave and was told. Raises FieldError.

    In a list of the API server the items carry neither apiVersion nor kind.
    """
    fields = Fields.of("", document)
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if fields.content.get(key) not in (None, expected):
            raise wrong(key, fields.content[key], expected)
    metadata = fields.inner("metadata")
    named = ClaimName(metadata.text("namespace"), metadata.text("name"), metadata.text("uid"))
    if named.fault is not None:
        raise FieldError(f"metadata.{named.fault}")
    deleted_at = metadata.optional_text("deletionTimestamp")
    status = fields.optional_inner("status") or Fields("status", {})
    reserved_for = tuple(
        f"{consumer.text('resource')} {consumer.text('name')}" for consumer in status.objects("reservedFor")
    )
    allocation = status.optional_inner("allocation")
    if allocation is None:
        return Claim(named, deleted_at, None, (), reserved_for)
    devices = allocation.optional_inner("devices") or Fields(allocation.at("devices"), {})
    results = tuple(_result(entry) for entry in devices.objects("results") if entry.text("driver") == driver)
    return Claim(named, deleted_at, results, _configurations(devices, driver), reserved_for)


def _result(fields: Fields) -> Result:
    request = fields.text("request")
    names = request.split("/")
    if len(names) > 2 or not all(map(is_dns_label, names)):
        raise wrong(fields.at("request"), request, EXPECTED_REQUEST)
    return Result(
        request=request,
        pool=fields.text("pool"),
        device=fields.text("device"),
        admin_access=fields.flag("adminAccess"),
        share_id=fields.optional_text("shareID"),
    )


def _configurations(devices: Fields, driver: str) -> tuple[Configuration, ...]:
    """Those of other drivers, and of kinds that are not opaque, are not ours to judge."""
    found: dict[str, list[Configuration]] = {source: [] for source in _SOURCES}
    for entry in devices.objects("config"):
        opaque = entry.optional_inner("opaque")
        if opaque is None or opaque.text("driver") != driver:
            continue
        source = entry.text("source")
        if source not in found:
            raise wrong(entry.at("source"), source, " or ".join(_SOURCES))
        config = parse_npu_config(opaque.inner("parameters"))
        found[source].append(Configuration(entry.texts("requests"), config))
    return tuple(configuration for source in _SOURCES for configuration in found[source])
