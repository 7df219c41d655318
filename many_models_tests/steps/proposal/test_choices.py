from __future__ import annotations

from pathlib import Path

import pytest

from many_models.adapters.sources.probe import SourceProbe
from many_models.core.errors import UseCaseError
from many_models.steps.proposal.choices import Choices, check_choice
from many_models_tests.tables import probe_table, shop_table

MADE = Choices(name="shop", time="day", keys=("store_id", "item"), target="sales")


@pytest.fixture
def probe(tmp_path: Path) -> SourceProbe:
    frame = shop_table().assign(code="17", blank=None, status="open", window=1, Größe=2.0)
    odd = {"price": "Unit price"}
    return probe_table(tmp_path / "shop.db", frame.rename(columns=odd))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("target", "sale", r"table 'shop' has no column 'sale'; .* Did you mean 'sales'\?"),
        ("past", ("promted",), r"no column 'promted'.* Did you mean 'promoted'\?"),
        ("target", "Unit price", r'letters, digits .* SELECT "Unit price" AS unit_price'),
        ("past", ("Größe",), r'view, or write a query, .* SELECT "Größe" AS gr_e'),
        ("past", ("window",), r"platform has a column of this name.* AS my_window"),
        ("static", ("status",), r"platform has a column of this name.* AS my_status"),
        ("target", "region", r"no numbers, .* 'region 1'\. Columns with numbers: store_id, "),
        ("known", ("region",), r"no numbers, as known needs"),
        (
            "time",
            "promoted",
            r"not hold times such as 2017-01-31 .*, but values such as '0'.* view",
        ),
        ("target", "blank", r"'blank' of table 'shop' has no values"),
        ("past", ("store_id",), r"'store_id' is used twice"),
        ("past", ("promoted", "promoted"), r"'promoted' is used twice"),
        ("keys", (), r"1 to 8 keys, not 0"),
        ("name", "My shop", r"such as 'my_shop', not 'My shop'"),
        ("frequency", "W", r"frequency is one of h, D, W-MON, .*, not 'W'"),
        ("gaps", "null", r"gaps is one of zero, missing, not 'null'"),
        ("horizon", 0, r"1 or more, not 0"),
        ("horizon", "month", r"number of periods, 1 or more, not 'month'"),
        ("partitioning", "region", r"one of the keys \(store_id, item\), not of 'region'"),
        ("partitioning", 0, r"1 to 10,000 hash buckets, not 0"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(
    probe: SourceProbe, field: str, value: object, message: str
) -> None:
    with pytest.raises(UseCaseError, match=message):
        check_choice(field, value, MADE, probe)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keys", ("store_id", "region")),
        ("target", "promoted"),
        ("past", ()),
        ("past", ("code",)),
        ("static", ("region",)),
        ("partitioning", "item"),
        ("partitioning", 10_000),
        ("horizon", 1),
        ("frequency", "W-SUN"),
    ],
)
def test_what_can_be_is_taken(probe: SourceProbe, field: str, value: object) -> None:
    check_choice(field, value, MADE, probe)


def test_a_partition_column_waits_until_the_keys_are_said(probe: SourceProbe) -> None:
    check_choice("partitioning", "store_id", Choices(), probe)
