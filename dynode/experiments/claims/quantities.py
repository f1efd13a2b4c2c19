"""Quantities that claims and texts are made of: one number from the rows of a combination, means over seeds.

rows: those of the claim's selector.  others: those that they are compared with.  A quantity is None where rows are missing.
"""

import inspect
import statistics
from collections.abc import Callable, Sequence

from dynode.errors import UserError
from dynode.evaluation.paired_comparison import errors_of, over_best
from dynode.evaluation.records import Row
from dynode.metrics.paired_bootstrap import Ratio

Rows = Sequence[Row]
QUANTITIES: dict[str, Callable[..., float | None]] = {}


def quantity(function: Callable[..., float | None]) -> Callable[..., float | None]:
    QUANTITIES[function.__name__] = function
    return function


def options_of(name: str) -> list[str]:
    """The options of a quantity."""
    kinds = inspect.signature(QUANTITIES[name]).parameters.values()
    return [each.name for each in kinds if each.kind is inspect.Parameter.KEYWORD_ONLY]


def average(rows: Rows) -> float:
    return sum(row.value for row in rows) / len(rows)


def by(rows: Rows, *fields: str) -> dict[tuple, list[Row]]:
    """Rows in groups of equal fields."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(getattr(row, name) for name in fields), []).append(row)
    return groups


@quantity
def value(rows: Rows, others: Rows) -> float | None:
    """The value of the one row there is.  Raises UserError where there are several."""
    if len(rows) > 1:
        one, two = rows[:2]
        differing = [name for name, each in vars(one).items() if each != getattr(two, name) and name != "value"]
        raise UserError(f"{len(rows)} rows where a value wants one: they differ in {', '.join(differing)}.")
    return rows[0].value if rows else None


@quantity
def mean(rows: Rows, others: Rows) -> float | None:
    """The mean of all rows."""
    return average(rows) if rows else None


@quantity
def std(rows: Rows, others: Rows) -> float | None:
    """The standard deviation over the rows; None of fewer than two."""
    return statistics.stdev(row.value for row in rows) if len(rows) > 1 else None


@quantity
def count(rows: Rows, others: Rows) -> float | None:
    """The number of rows."""
    return float(len(rows)) if rows else None


@quantity
def lowest(rows: Rows, others: Rows) -> float | None:
    """The smallest value."""
    return min((row.value for row in rows), default=None)


@quantity
def highest(rows: Rows, others: Rows) -> float | None:
    """The largest value."""
    return max((row.value for row in rows), default=None)


@quantity
def growth(rows: Rows, others: Rows) -> float | None:
    """The largest value over the smallest."""
    return max(row.value for row in rows) / min(row.value for row in rows) if rows else None


@quantity
def ratio(rows: Rows, others: Rows) -> float | None:
    """The mean of the rows over the mean of the others."""
    return average(rows) / average(others) if rows and others else None


@quantity
def difference(rows: Rows, others: Rows) -> float | None:
    """The mean of the rows less the mean of the others."""
    return average(rows) - average(others) if rows and others else None


@quantity
def share_of_best(rows: Rows, others: Rows) -> float | None:
    """The mean of the rows over the mean of that of the other methods whose mean is lowest."""
    best = min((average(each) for each in by(others, "method").values()), default=None)
    return average(rows) / best if rows and best else None


@quantity
def ratio_to_best(rows: Rows, others: Rows, *, end: str = "value") -> float | None:
    """Summed squared errors over those of the best other method, whose mean error is lowest; `end`: value, low or high.

    low and high are the ends of the 95 % interval over clips.
    """
    return getattr(best_ratio(rows, others), end) if rows and others else None


@quantity
def third_ratio(rows: Rows, others: Rows) -> float | None:
    """The third lowest of the categories' ratios to the best other method; None where there are fewer."""
    ours, theirs = by(rows, "category"), by(others, "category")
    ratios = sorted(best_ratio(ours[key], theirs[key]).value for key in ours.keys() & theirs.keys())
    return ratios[2] if len(ratios) > 2 else None


@quantity
def highest_end(rows: Rows, others: Rows) -> float | None:
    """The highest upper end of the interval of the ratio to the best other method, over categories, samplings and strides."""
    keys = ("category", "sampling", "stride", "variant")
    ours, theirs = by(rows, *keys), by(others, *keys)
    return max((best_ratio(ours[key], theirs[key]).high for key in ours.keys() & theirs.keys()), default=None)


def best_ratio(rows: Rows, others: Rows) -> Ratio:
    """The ratio of summed squared errors to those of the best other method, which ran on the same frames."""
    return over_best(errors_of(rows), {name: errors_of(each) for (name,), each in by(others, "method").items()})[1]


@quantity
def gain(rows: Rows, others: Rows, *, lower_is_better: bool = False) -> float | None:
    """By how much the rows are better than the others, mean over the clips and variants that both have."""
    one, two = (by(each, "clip", "variant") for each in (rows, others))
    gains = [average(one[key]) - average(two[key]) for key in one.keys() & two.keys()]
    return (-1 if lower_is_better else 1) * sum(gains) / len(gains) if gains else None


@quantity
def count_not_above_zero(rows: Rows, others: Rows) -> float | None:
    """The number of rows whose value is 0 or below."""
    return float(sum(row.value <= 0 for row in rows)) if rows else None


@quantity
def count_above(rows: Rows, others: Rows, *, above: float = 0.0) -> float | None:
    """The number of rows whose value is above a bound."""
    return float(sum(row.value > above for row in rows)) if rows else None


@quantity
def count_below(rows: Rows, others: Rows, *, below: float) -> float | None:
    """The number of rows whose value is below a bound."""
    return float(sum(row.value < below for row in rows)) if rows else None


@quantity
def count_ahead(rows: Rows, others: Rows) -> float | None:
    """The number of rows whose value is not below that of the other row of the same clip, sampling and stride."""
    one, two = (by(each, "clip", "sampling", "stride") for each in (rows, others))
    return (
        float(sum(average(one[key]) >= average(two[key]) for key in one.keys() & two.keys())) if one and two else None
    )


@quantity
def seed_std(rows: Rows, others: Rows) -> float | None:
    """The standard deviation over seeds of the one row there is."""
    return rows[0].std if len(rows) == 1 else None


@quantity
def categories_above(rows: Rows, others: Rows, *, above: float) -> float | None:
    """The number of categories whose mean over clips is above a bound."""
    return float(sum(average(each) > above for each in by(rows, "category").values())) if rows else None


@quantity
def lowest_category(rows: Rows, others: Rows) -> float | None:
    """The lowest of the categories' means over clips."""
    return min((average(each) for each in by(rows, "category").values()), default=None)


@quantity
def categories_ahead(rows: Rows, others: Rows) -> float | None:
    """The number of categories whose mean over clips is above that of each of the other methods."""
    ours, theirs = by(rows, "category"), by(others, "category", "method")
    ahead = [
        all(average(mine) > average(each) for (where, _), each in theirs.items() if where == category)
        for (category,), mine in ours.items()
    ]
    return float(sum(ahead)) if ours and theirs else None


@quantity
def lowest_at_strength_used(rows: Rows, others: Rows) -> float | None:
    """The lowest value of an editor at the strength that is used of it; the others are these strengths."""
    used = {(row.method, f"{row.value:+g}") for row in others}
    return min((row.value for row in rows if (row.method, row.variant) in used), default=None)


def matches(row: Row, selector: dict) -> bool:
    """Whether a row's fields are what a selector says."""
    for key, wanted in selector.items():  # a loop: some hundred thousand of these are made in a second
        present = getattr(row, key)
        if present != wanted and not fits(present, wanted):
            return False
    return True


def fits(present: object, wanted: object) -> bool:
    """Whether a field is a value, one of a list, or one that "start*" describes; "not start*" is any other."""
    if isinstance(wanted, str):
        if wanted.startswith("not "):
            return not fits(present, wanted.removeprefix("not "))
        return str(present).startswith(wanted[:-1]) if wanted.endswith("*") else present == wanted
    if isinstance(wanted, list):
        return present in wanted or any(fits(present, each) for each in wanted)
    return present == wanted
