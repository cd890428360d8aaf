"""maximum: the greater of two elements."""

from extremum import Extremum

OP = "maximum"


def cases():
    yield from Extremum(OP, "MAXIMUM", "Max").cases()
