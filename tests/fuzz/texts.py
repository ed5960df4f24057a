"""Texts and bytes that no driver should write: good ones with a part replaced, and noise."""

from random import Random

ODD = (
    # Line ends and digits of other kinds, signs, separators, and numbers too long for any register.
    *("", "\0", "\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u0661", "\u00b2", "\uff11", "\u017f", "\u212a"),
    *(" ", "\t", "-", "+", "_", "0", "1", ":", ": ", "0x", ".", ",", "e3", "nan"),
    *("9" * 20, "18446744073709551616", "f" * 17, "1" * 5000),
)


def spliced(text: str, start: int, length: int, other: str) -> str:
    """`other` in place of `length` characters from `start`, which goes round."""
    start %= len(text) + 1
    return text[:start] + other + text[start + length :]


def malformed(good: bytes, random: Random) -> bytes:
    """The file's content made bad, or by chance another good one."""
    match random.randrange(8):
        case 0:
            return random.randbytes(random.choice((0, 1, 2, 8, 64, 4096, 4097, 20_000)))
        case 1:
            return good[: random.randrange(len(good) + 1)]
        case 2:
            flipped = bytearray(good or b"\0")
            flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
            return bytes(flipped)
        case 3:
            return good * random.choice((2, 3, 500))
        case _:
            text = good.decode()
            return spliced(text, random.randrange(200), random.randrange(12), random.choice(ODD)).encode()
