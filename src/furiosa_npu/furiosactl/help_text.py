"""The help texts. `HELP` is the user's document's, byte for byte."""

from furiosa_npu.hardware.controls import CONTROLS

HELP = """\
furiosactl controls the FURIOSA NPU.

Find more information at: https://furiosa.ai/

Basic Commands:
  version    Print the furiosactl version information
  list       Display NPU device list
  info       Show information one or many NPU(s)
  config     Get/Set configuration for NPU environment

Usage:
  furiosactl COMMAND
"""

_OPTIONS = """
Options:
  --devfs-root FOLDER    Where the device files are (default /dev, or FURIOSA_DEVFS_ROOT)
  --sysfs-root FOLDER    Where the driver's facts are (default /sys, or FURIOSA_SYSFS_ROOT)
"""

_FORMAT = """\
  --format FORMAT        table (default), json or yaml
"""

_NPU = """
NPU is a name (npu0), a UUID or a PCI address.
"""

_KEYS = "\nKeys and values:\n" + "".join(
    f"  {family:<10}{control.key:<19}{control.meaning}{'' if control.readable else ' (write only)'}\n"
    for family, controls in CONTROLS.items()
    for control in controls
)

COMMAND_HELP = {
    "version": "Print the furiosactl version information\n\nUsage:\n  furiosactl version\n",
    "list": "Display NPU device list\n\nUsage:\n  furiosactl list [NPU...]\n" + _NPU + _OPTIONS + _FORMAT,
    "info": "Show information one or many NPU(s)\n\nUsage:\n  furiosactl info [NPU...] [--full]\n"
    + _NPU
    + _OPTIONS
    + _FORMAT
    + "  --full                 UUID, serial number and firmware too\n",
    "config": "Get/Set configuration for NPU environment\n\nUsage:\n  furiosactl config get [NPU [KEY]]\n"
    "  furiosactl config set NPU KEY VALUE\n" + _NPU + _KEYS + _OPTIONS,
}
