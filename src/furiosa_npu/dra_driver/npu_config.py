"""NpuConfig, `npu.furiosa.ai/v1alpha1`: what a claim or a DeviceClass says about its devices. Pure.

    apiVersion: npu.furiosa.ai/v1alpha1
    kind: NpuConfig
    peForm: single
    environment:
      FURIOSA_LOG_LEVEL: debug

It stands in the `opaque.parameters` of a configuration and is read strictly: a key that is not known fails the claim.

The names allowed in `environment` are the runtime's own, `FURIOSA_...` and `RUST_...`. What a CDI device says comes
after the pod's own variables, and beats them under runc: so what a loader, a shell or an interpreter reads (PATH,
LD_PRELOAD, PYTHONPATH) stays with whoever writes the pod, and what says which NPU it is with the driver.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.allocation.pe_form import PE_FORMS, PeForm
from furiosa_npu.dra_driver.fields import FieldError, Fields, wrong

API_VERSION = "npu.furiosa.ai/v1alpha1"
KIND = "NpuConfig"

DRIVERS_OWN = frozenset({"FURIOSA_DEVICES", "FURIOSA_DEVFS_ROOT", "FURIOSA_SYSFS_ROOT"})
"""Variables that say which NPU a container has and where it looks for it."""

MAXIMUM_VARIABLES = 32
MAXIMUM_VALUE_CHARACTERS = 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PREFIXES = ("FURIOSA_", "RUST_")
EXPECTED_NAME = "a name that begins with FURIOSA_ or RUST_, of letters, digits and _"
EXPECTED_VALUE = f"a text of at most {MAXIMUM_VALUE_CHARACTERS} printable characters"


class ConfigError(FieldError):
    """The user's: what stands in the configuration is not as it should be."""


class NpuConfig(NamedTuple):
    """What is asked for; None and nothing where the node's own settings stand."""

    pe_form: PeForm | None = None
    environment: Mapping[str, str] = {}


def parse_npu_config(fields: Fields) -> NpuConfig:
    """The configuration. Raises ConfigError, with the name of a key that is not known."""
    try:
        return _npu_config(fields)
    except FieldError as error:
        raise ConfigError(f"its NpuConfig is not taken: {error}") from error


def _npu_config(fields: Fields) -> NpuConfig:
    fields.only("apiVersion", "kind", "peForm", "environment")
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if fields.content.get(key) != expected:
            raise wrong(fields.at(key), fields.content.get(key), expected)
    return NpuConfig(_pe_form(fields), _environment(fields.optional_inner("environment")))


def _pe_form(fields: Fields) -> PeForm | None:
    if "peForm" not in fields.content:
        return None
    found = fields.content["peForm"]
    for form in PE_FORMS:
        if found == form:
            return form
    raise wrong(fields.at("peForm"), found, " or ".join(PE_FORMS))


def _environment(fields: Fields | None) -> dict[str, str]:
    if fields is None:
        return {}
    if len(fields.content) > MAXIMUM_VARIABLES:
        raise FieldError(f"{fields.path}: found {len(fields.content)} names, expected at most {MAXIMUM_VARIABLES}")
    for name, value in fields.content.items():
        _check_name(fields, name)
        if not isinstance(value, str) or len(value) > MAXIMUM_VALUE_CHARACTERS or not _is_plain(value):
            raise wrong(fields.at(name), value, EXPECTED_VALUE)
    return dict(fields.content)


def _check_name(fields: Fields, name: str) -> None:
    if name in DRIVERS_OWN or name.startswith("NPU_"):
        raise FieldError(f"{fields.at(name[:60])}: found a variable that the driver sets, expected {EXPECTED_NAME}")
    if _NAME.fullmatch(name) is None or not name.startswith(_PREFIXES):
        raise wrong(fields.path, name, EXPECTED_NAME)


def _is_plain(value: str) -> bool:
    """Nothing that ends a line or a C string, and nothing that is no text (lone surrogates)."""
    return all(character.isprintable() for character in value)
