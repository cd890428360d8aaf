"""minimum: the lesser of two elements."""

from extremum import Extremum

OP = "minimum"


def cases():
    yield from Extremum(OP, "MINIMUM", "Min").cases()
