"""Prepared claims of the DRA plane, by their CDI specifications: while there are some the driver must not go."""

import os

FILES = "npu.furiosa.ai-claim_"
"""How the specifications' names begin (watch.claimed_cards.CLAIM_KIND, cdi.names.transient_file_name); the claim's UID
follows. The folder is lost at a reboot, and so is what was prepared.
"""


def prepared_claims(claims_dir: str) -> tuple[str, ...]:
    """UIDs of claims, sorted; raises OSError where the folder is there and cannot be listed."""
    try:
        names = os.listdir(claims_dir)
    except FileNotFoundError:
        return ()
    return tuple(sorted(name[len(FILES) :].removesuffix(".json") for name in names if name.startswith(FILES)))
