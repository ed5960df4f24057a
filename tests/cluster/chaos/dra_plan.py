"""Pods of the DRA plane: by extended resources, by templates for cards and PEs, and in pairs with one claim. Pure."""

import random
from typing import NamedTuple

from tests.cluster.chaos.plan import PodStep, Site, pod_plan

_CARD, _PE = "npu.furiosa.ai", "npu-1pe.furiosa.ai"


class Asked(NamedTuple):
    """By a claim."""

    device_class: str
    how_many: int


TEMPLATES = {"card": Asked(_CARD, 1), "cards": Asked(_CARD, 2), "pe": Asked(_PE, 1), "pes": Asked(_PE, 3)}
"""ResourceClaimTemplates by name."""
SHARED = {"shared-card": Asked(_CARD, 1), "shared-pe": Asked(_PE, 1)}
"""ResourceClaims that stay, by name; they have devices while pods use them."""
APART_SECONDS = 3.0
"""between two pods that share a claim, at most"""
_HOW = ("extended resources", "template", "shared claim")
_WEIGHTS = (4, 4, 2)


def claim_plan(seed: int, seconds: float, site: Site) -> tuple[PodStep, ...]:
    """The pods of `pod_plan`, of which some ask otherwise, by their times."""
    chance = random.Random(f"claims {seed}")  # noqa: S311 - the same seed has to give the same plan
    steps: list[PodStep] = []
    for step in pod_plan(seed, seconds, site):
        (how,) = chance.choices(_HOW, _WEIGHTS)
        if how == "extended resources":
            steps.append(step)
        elif how == "template":
            steps.append(step._replace(requests=(), template=chance.choice(sorted(TEMPLATES))))
        else:
            one = step._replace(requests=(), claim=chance.choice(sorted(SHARED)), node=None)
            at = step.at + chance.uniform(0.0, APART_SECONDS)
            steps += [one, one._replace(name=f"{one.name}-too", at=at, seconds=chance.uniform(1.0, 10.0))]
    return tuple(sorted(steps, key=lambda step: step.at))
