"""Quantities of the API (apimachinery, resource.Quantity) that are whole numbers: written and read. Pure."""

_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")

_FACTORS: dict[str, int] = {suffix: 1024**power for power, suffix in enumerate(_BINARY)} | {
    suffix: 1000**power for power, suffix in enumerate(_DECIMAL)
}


def format_quantity(number: int) -> str:
    """`3`, `6080Mi`: as the API server itself writes it, with the largest binary suffix that leaves a whole number."""
    power = 0
    while number and number % 1024 == 0 and power + 1 < len(_BINARY):
        number //= 1024
        power += 1
    return f"{number}{_BINARY[power]}"


def parse_quantity(text: object) -> int:
    """Raises ValueError for what is no whole number from 0, or written in another way than with a suffix."""
    if isinstance(text, str):
        digits = text.rstrip("KMGTPEki")
        factor = _FACTORS.get(text[len(digits) :])
        if factor is not None and digits.isascii() and digits.isdecimal() and len(digits) <= 20:
            return int(digits) * factor
    raise ValueError(f"found {str(text)[:40]!r}, expected a whole quantity such as 3 or 6080Mi")
