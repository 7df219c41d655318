from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from many_models.core.errors import UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.use_case_file import parse_use_case
from many_models.steps.proposal.choices import Choices
from many_models.steps.proposal.file import write_use_case
from many_models.steps.proposal.propose import Proposal

CHOICES = Choices(
    name="shop", time="day", keys=("store_id", "item"), target="sales", frequency="D", gaps="zero",
    horizon=7, known=("price", "promoted"), past=("baskets",), static=("region",),
    partitioning="item",
)  # fmt: skip
PROPOSAL = Proposal(
    choices=CHOICES,
    url="sqlite:///${SHOP}/shop.db",
    table="shop",
    rows=240,
    groups=4,
    partitions=2,
    periods=60,
    query=None,
    window="monthly",
    start=date(2017, 1, 1),
    end=date(2017, 3, 1),
    folds=2,
    min_observations=30,
    target_at_least_zero=True,
    switches=("promoted",),
    warnings=(),
)


def read(proposal: Proposal) -> UseCase:
    found = parse_use_case(write_use_case(proposal), name="test")
    assert isinstance(found, UseCase)
    return found


def test_what_is_proposed_is_what_the_file_says() -> None:
    found = read(PROPOSAL)
    assert (found.source.url, found.source.table) == ("sqlite:///${SHOP}/shop.db", "shop")
    assert (found.source.start, found.source.end) == (date(2017, 1, 1), date(2017, 3, 1))
    assert (found.name, found.keys, found.partitioning.by) == ("shop", ("store_id", "item"), "item")
    assert (found.time.column, found.time.frequency, found.horizon) == ("day", "D", 7)
    assert (found.target, found.gaps, found.prediction_floor) == ("sales", "zero", 0)
    assert [(k.name, k.fill) for k in found.features.known] == [
        ("price", "last"),
        ("promoted", "zero"),
    ]
    assert (found.features.past, found.features.static) == (("baskets",), ("region",))
    assert (found.validation.folds, found.validation.min_observations) == (2, 30)
    assert found.description == "Daily sales of every store_id x item, 7 days ahead."


def test_a_query_keeps_its_lines() -> None:
    query = 'SELECT "day"\nFROM "shop"\nWHERE "day" >= :window_start AND "day" < :window_end'
    found = read(replace(PROPOSAL, query=query))
    assert (found.source.table, (found.source.query or "").rstrip()) == (None, query)


def test_what_is_open_is_left_out() -> None:
    found = read(replace(PROPOSAL, end=None, target_at_least_zero=False))
    assert (found.source.end, found.prediction_floor) == (None, None)


def test_hash_buckets_are_a_number() -> None:
    choices = replace(CHOICES, partitioning=3)
    found = read(replace(PROPOSAL, choices=choices, partitions=3))
    assert (found.partitioning.by, found.partitioning.hash) == (None, 3)


@pytest.mark.parametrize("word", ["no", "on", "null", "yes", "_1", "e1"])
def test_words_that_yaml_reads_as_something_else_stay_words(word: str) -> None:
    choices = replace(
        CHOICES, keys=(word,), partitioning=word, past=(), target="y", time="n", static=()
    )
    found = read(replace(PROPOSAL, choices=choices))
    assert (found.keys, found.partitioning.by, found.target) == ((word,), word, "y")


@pytest.mark.parametrize(
    "url", ["postgresql://ann:a#b@host/db", "postgresql://h/db?options=-c x: y", "'q' \"r\" {s}"]
)
def test_any_url_comes_back_as_it_was(url: str) -> None:
    assert read(replace(PROPOSAL, url=url)).source.url == url


def test_choices_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(UseCaseError, match=r"the proposed shop\.yaml is not a valid use case"):
        write_use_case(replace(PROPOSAL, choices=replace(CHOICES, partitioning="region")))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, ("loaded_at: updated_at", ["updated_at", None])),
        (
            "SELECT * FROM shop WHERE day >= :window_start AND day < :window_end",
            (
                "changes: SELECT day, updated_at AS loaded_at FROM shop WHERE updated_at >= :since",
                [None, "SELECT day, updated_at AS loaded_at FROM shop WHERE updated_at >= :since"],
            ),
        ),
    ],
)
def test_a_load_time_is_proposed_in_a_comment_that_can_be_switched_on(
    query: str | None, expected: tuple[str, list[str | None]]
) -> None:
    text = write_use_case(replace(PROPOSAL, query=query, loaded_at="updated_at"))
    line, fields = expected
    assert not parse_use_case(text, name="test").source.watched
    source = parse_use_case(text.replace(f"# {line}", line), name="test").source
    assert [source.loaded_at, source.changes] == fields
