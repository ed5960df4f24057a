"""CDI's names. Pure.

Source: the Container Device Interface (https://github.com/cncf-tags/container-device-interface): `SPEC.md`, sections
Kind and CDI Devices, and `pkg/parser/parser.go`, which runtimes judge by; where the two differ, what both take.
"""

import re

_LABEL = r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_KIND = re.compile(rf"(?P<vendor>{_LABEL})/(?P<device_class>{_LABEL})", re.ASCII)
_DEVICE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?", re.ASCII)
_SUFFIX = ".json"
_LONGEST_VENDOR, _LONGEST_CLASS = 253, 63

EXPECTED_KIND = (
    "VENDOR/CLASS, each of letters, digits, _, - and ., beginning with a letter, ending with a letter or digit"
)

EXPECTED_DEVICE_NAME = "letters, digits, _, -, . and :, beginning and ending with a letter or digit"


def is_kind(text: str) -> bool:
    """`vendor.com/class`."""
    found = _KIND.fullmatch(text)
    return (
        found is not None and len(found["vendor"]) <= _LONGEST_VENDOR and len(found["device_class"]) <= _LONGEST_CLASS
    )


def is_device_name(text: str) -> bool:
    """What stands behind the `=` of a qualified name: UUIDs and PCI addresses are such names."""
    return _DEVICE.fullmatch(text) is not None


def qualified(kind: str, device: str) -> str:
    """How a device is asked for: `vendor.com/class=device`."""
    return f"{kind}={device}"


def file_name(kind: str) -> str:
    """The specification's file, as the CDI library's `GenerateSpecName` has it: `vendor.com-class.json`."""
    return f"{kind.replace('/', '-')}{_SUFFIX}"


def transient_file_name(kind: str, transient_id: str) -> str:
    """Of a specification that goes with what it was made for, as `GenerateTransientSpecName` has it:
    `vendor.com-class_id.json`."""
    return f"{_transient_prefix(kind)}{transient_id}{_SUFFIX}"


def transient_id(kind: str, name: str) -> str | None:
    """What the file of this name was made for; None: it is none of the kind's."""
    prefix = _transient_prefix(kind)
    if not name.startswith(prefix) or not name.endswith(_SUFFIX):
        return None
    return name[len(prefix) : -len(_SUFFIX)]


def _transient_prefix(kind: str) -> str:
    return f"{kind.replace('/', '-')}_"
