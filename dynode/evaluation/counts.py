"""Counts in words, as sentences have them."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 frame, 2 frames, 2 passes of the encoder with that as the plural."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def of_all(number: int, whole: int) -> str:
    """A part of several, more than none: 1 of 3, all 3; the only one of one."""
    if number < whole:
        return f"{number} of {whole}"
    return f"all {whole}" if whole > 1 else "the only one"


def is_or_are(number: int) -> str:
    return "is" if number == 1 else "are"
