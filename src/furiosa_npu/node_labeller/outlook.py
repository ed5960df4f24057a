"""What the options want to be looked at and told; what nobody wants is not imported."""

from furiosa_npu.hardware.reading import Roots
from furiosa_npu.node_labeller.labels import PLANE_LABEL, More
from furiosa_npu.node_labeller.settings import Settings
from furiosa_npu.node_labeller.sight import Lookout


def outlook(settings: Settings, roots: Roots) -> tuple[Lookout, More | None]:
    """The look at the node, and the labels beside the two."""
    if not settings.labels:
        return Lookout(roots, claims_dir=settings.claims_dir), None
    from furiosa_npu.node_labeller.card_facts import card_with_facts
    from furiosa_npu.node_labeller.more_labels import MoreLabels

    more = MoreLabels(settings.labels)
    if PLANE_LABEL not in more.names:
        return Lookout(roots, card_with_facts, claims_dir=settings.claims_dir), more
    from furiosa_npu.watch.plane_lock import holder

    return Lookout(roots, card_with_facts, lambda: holder(settings.plane_dir), settings.claims_dir), more
