"""NpuConfig: what a claim may say of its devices, and that nothing else passes."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.dra_driver.fields import FieldError, Fields
from furiosa_npu.dra_driver.npu_config import NpuConfig, parse_npu_config

HEAD = {"apiVersion": "npu.furiosa.ai/v1alpha1", "kind": "NpuConfig"}


def _parse(parameters: dict[str, Any]) -> NpuConfig:
    return parse_npu_config(Fields.of("parameters", parameters))


def test_a_configuration_says_the_pe_form_and_the_runtimes_environment() -> None:
    """Both, or nothing."""
    environment = {"FURIOSA_LOG_LEVEL": "debug", "RUST_LOG": "furiosa=trace,warn"}
    assert _parse(HEAD | {"peForm": "single", "environment": environment}) == NpuConfig("single", environment)
    assert _parse(HEAD) == NpuConfig(None, {})


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "parameters.apiVersion: found nothing, expected npu.furiosa.ai/v1alpha1"),
        (
            HEAD | {"apiVersion": "npu.furiosa.ai/v1"},
            "apiVersion: found 'npu.furiosa.ai/v1', expected npu.furiosa.ai/v1a",
        ),
        (HEAD | {"kind": "GpuConfig"}, "parameters.kind: found 'GpuConfig', expected NpuConfig"),
        (HEAD | {"sharing": {}}, "parameters.sharing: unknown key, expected apiVersion, kind, peForm, environment"),
        (HEAD | {"peForm": "Fused"}, "parameters.peForm: found 'Fused', expected fused or single"),
        (HEAD | {"peForm": None}, "parameters.peForm: found nothing, expected fused or single"),
        (HEAD | {"environment": ["A=1"]}, "parameters.environment: found ['A=1'], expected an object"),
        (HEAD | {"environment": {"FURIOSA_A": 1}}, "parameters.environment.FURIOSA_A: found 1, expected a text"),
        (HEAD | {"environment": {"FURIOSA_A": "a\nb"}}, "environment.FURIOSA_A: found 'a\\nb', expected a text"),
        (HEAD | {"environment": {"FURIOSA_A": "a" * 1025}}, "expected a text of at most 1024"),
        (
            HEAD | {"environment": {f"FURIOSA_{number}": "" for number in range(33)}},
            "parameters.environment: found 33 names, expected at most 32",
        ),
    ],
)
def test_what_is_not_known_fails_the_claim_by_its_name(parameters: dict[str, Any], said: str) -> None:
    """Strictly: a slip of the pen must not run as something else."""
    with pytest.raises(FieldError) as raised:
        _parse(parameters)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "BASH_ENV",
        "HOME",
        "GLIBC_TUNABLES",
        "FURIOSA",
        "furiosa_a",
        "FURIOSA_A=B",
        "FURIOSA_A B",
        "FURIOSA_É",
        "",
        "FURIOSA_A\n",
        "KUBERNETES_SERVICE_HOST",
    ],
)
def test_a_name_that_others_read_is_refused(name: str) -> None:
    """What a loader, a shell or an interpreter reads stays with whoever writes the pod."""
    with pytest.raises(FieldError, match="expected a name that begins with FURIOSA_ or RUST_"):
        _parse(HEAD | {"environment": {name: "x"}})


@pytest.mark.parametrize(
    "name", ["NPU_DEVNAME", "NPU_X", "FURIOSA_DEVICES", "FURIOSA_DEVFS_ROOT", "FURIOSA_SYSFS_ROOT"]
)
def test_a_name_that_the_driver_sets_is_refused(name: str) -> None:
    """A claim cannot say that its container has another NPU."""
    with pytest.raises(FieldError, match=f"environment.{name}: found a variable that the driver sets"):
        _parse(HEAD | {"environment": {name: "x"}})


@given(
    name=st.text(max_size=20)
    | st.text(string.ascii_letters + string.digits + "_=", max_size=12).map("FURIOSA_".__add__)
)
def test_every_name_that_passes_is_an_identifier_of_the_runtime(name: str) -> None:
    """And one that passes is kept as it was."""
    try:
        config = _parse(HEAD | {"environment": {name: "x"}})
    except FieldError:
        return
    assert config.environment == {name: "x"}
    assert name.isascii()
    assert name.isidentifier()
    assert name.startswith(("FURIOSA_", "RUST_"))
    assert name not in ("FURIOSA_DEVICES", "FURIOSA_DEVFS_ROOT", "FURIOSA_SYSFS_ROOT")
