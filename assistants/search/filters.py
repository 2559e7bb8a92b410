"""Files chosen by their attributes (contract, 6.3)."""

from collections.abc import Callable, Mapping, Sequence

from assistants.schema.vector_stores import AttributeValue, ComparisonFilter, Filter

_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
}


def matches(chosen: Filter | None, attributes: Mapping[str, AttributeValue]) -> bool:
    """Whether a file with these attributes is searched.

    Values of different types differ, and have no order; 1 and 1.0 are one value. A file without the attribute matches
    `ne` and `nin` only.
    """
    if chosen is None:
        return True
    if "filters" in chosen:
        among = (matches(each, attributes) for each in chosen["filters"])
        return all(among) if chosen["type"] == "and" else any(among)
    return _holds(chosen, attributes.get(chosen["key"]))


def _holds(comparison: ComparisonFilter, found: AttributeValue | None) -> bool:
    wanted = comparison["value"]
    values: Sequence[AttributeValue] = wanted if isinstance(wanted, list) else [wanted]
    kind = comparison["type"]
    if kind in ("ne", "nin"):
        return not any(_equal(found, value) for value in values)
    if kind in ("eq", "in"):
        return any(_equal(found, value) for value in values)
    return any(_ordered(_ORDERS[kind], found, value) for value in values)


def _equal(found: AttributeValue | None, wanted: AttributeValue) -> bool:
    return _type(found) is _type(wanted) and found == wanted


def _ordered(order: Callable[..., bool], found: AttributeValue | None, wanted: AttributeValue) -> bool:
    return _type(found) is _type(wanted) in (str, float) and order(found, wanted)


def _type(value: AttributeValue | None) -> type:
    return float if type(value) is int else type(value)
