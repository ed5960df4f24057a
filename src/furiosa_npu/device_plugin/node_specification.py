"""The node's CDI specification: one file for all cards, written where it differs and not otherwise."""

from collections.abc import Callable, Mapping

from furiosa_npu.allocation.cdi_devices import KIND, node_devices
from furiosa_npu.cdi import spec_file
from furiosa_npu.cdi.names import file_name
from furiosa_npu.cdi.specification import to_text
from furiosa_npu.hardware.reading import Reading, Roots
from furiosa_npu.linux.atomic_file import remove_begun

Facts = tuple[tuple[object, ...], ...]


def facts(cards: Mapping[str, Reading]) -> Facts:
    """What of the cards the specification is made of."""
    return tuple((unit, card.family, card.index, card.uuid, card.device_files) for unit, card in cards.items())


class NodeSpecification:
    """`folder` is one that container runtimes look into; `furiosactl` tells the host's path of it, or None."""

    def __init__(self, folder: str, roots: Roots, furiosactl: Callable[[], str | None]) -> None:
        self.path = f"{folder}/{file_name(KIND)}"
        self._roots = roots
        self._furiosactl = furiosactl
        self._told: tuple[str | None, Facts] | None = None
        """what the file was made of, when it was last looked at"""
        self._identity: tuple[int, ...] | None = None
        self._left_out: Mapping[str, str] = {}
        remove_begun(self.path)

    def keep(self, cards: Mapping[str, Reading]) -> Mapping[str, str]:
        """The file tells of these cards then; without any it is gone. Which units it leaves out, and why.

        Raises SpecFileError and SpecificationError: then it is as it was.
        """
        furiosactl = self._furiosactl()
        told = (furiosactl, facts(cards))
        if told == self._told and spec_file.identity(self.path) == self._identity:
            return self._left_out
        self._told = None
        devices = node_devices(cards, self._roots, furiosactl)
        if devices.specification is None:
            spec_file.remove(self.path)
        else:
            text = to_text(devices.specification)
            if spec_file.read(self.path) != text:
                spec_file.write(self.path, text)
        self._told, self._identity, self._left_out = told, spec_file.identity(self.path), devices.left_out
        return self._left_out
