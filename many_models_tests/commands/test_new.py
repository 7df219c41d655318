from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.simulated import load_simulated_source
from many_models.commands.new import _url_warnings, new
from many_models.core.errors import ManyModelsError, SourceError, UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.core.lake_schema import raw_columns
from many_models.core.simulation.retailer import SimulatedSales
from many_models.core.tabular.training import train_shard
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case_file import load_use_case
from many_models.steps.ingest import query_of
from many_models_tests.core.tabular.rows import last_day, make_route, shard_of
from many_models_tests.tables import flights_table, shop_table, write_table

SALES = SimulatedSales(stores=3, items=4, days=120, seed=1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shop(tmp_path: Path) -> str:
    return write_table(tmp_path / "shop.db", shop_table())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("many_models.commands.new.is_terminal", lambda: True)


def run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(new, arguments, input=answers)


def written(*arguments: str, answers: str = "", path: str = "shop.yaml") -> UseCase:
    result = run(*arguments, answers=answers)
    assert result.exception is None, result.exception or result.output
    found = load_use_case(Path(path))
    assert isinstance(found, UseCase)
    return found


def refused(*arguments: str) -> ManyModelsError:
    error = run(*arguments).exception
    assert isinstance(error, ManyModelsError)
    return error


def check_that_it_can_be_read(use_case: UseCase, url: str, rows: int) -> None:
    source = SourceDatabase(url)
    window: dict[str, Any] = {"start": datetime(2000, 1, 3), "end": datetime(2100, 1, 1)}
    stream = source.stream(query_of(use_case, source), schema=raw_columns(use_case), **window)
    found = stream.read_all().to_pandas()
    assert len(found) == rows
    assert not found.duplicated([*use_case.keys, use_case.time.column]).any()
    times = found[use_case.time.column].to_numpy("datetime64[us]")
    frequency = use_case.frequency
    assert (frequency.to_time(frequency.to_period(times)) == times).all()


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
def test_simulated_sales_are_understood_without_a_question(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sqlite = f"sqlite:///{tmp_path}/sales.db"
    url = sqlite if backend == "sqlite" else request.getfixturevalue("postgres_url")
    load_simulated_source(SALES, url)
    found = written("--url", url, "--table", "sales", "--yes", path="sales.yaml")
    assert (found.keys, found.time.column, found.time.frequency) == (
        ("store_id", "item_id"), "date", "D",
    )  # fmt: skip
    assert (found.target, found.gaps, found.partitioning.by) == ("sales", "zero", "store_id")
    assert found.features.known == ()
    assert found.features.past == ("price", "promotion", "expected_sales")
    assert "past is the safe choice" in Path("sales.yaml").read_text()
    check_that_it_can_be_read(found, url, SALES.rows)


@pytest.mark.parametrize(
    ("sql_type", "pattern", "frequency"),
    [
        ("DATE", "%Y-%m-%d", "D"),
        ("TEXT", "%Y-%m-%d", "D"),
        ("VARCHAR(30)", "%Y-%m-%d %H:%M:%S", "D"),
        ("DATETIME", "%Y-%m-%d %H:%M:%S.000000", "D"),
        ("TIMESTAMP", "%Y-%m-%dT00:00:00", "D"),
        ("TEXT", "%Y-%m-%dT00:00:00Z", "D"),
        ("", "%Y-%m-%d", "D"),
        ("TEXT", "%Y-%m-01", "MS"),
    ],
)
def test_times_are_found_in_any_type(
    tmp_path: Path, sql_type: str, pattern: str, frequency: str
) -> None:
    days = 60 if frequency == "D" else 700
    moments = pd.date_range("2017-01-01", periods=days).strftime(pattern).unique()
    url = write_table(tmp_path / "any.db", shop_table(list(moments)), types={"day": sql_type})
    found = written("--url", url)
    assert (found.time.column, found.time.frequency) == ("day", frequency)
    check_that_it_can_be_read(found, url, 4 * len(moments))


@pytest.mark.parametrize(
    ("sql_type", "pattern"), [("TEXT", "%Y%m%d"), ("TEXT", "%d/%m/%Y"), ("INTEGER", "%s")]
)
def test_times_that_do_not_sort_as_times_need_a_view(
    tmp_path: Path, sql_type: str, pattern: str
) -> None:
    moments = pd.date_range("2017-01-01", periods=60).strftime(pattern)
    url = write_table(tmp_path / "any.db", shop_table(list(moments)), types={"day": sql_type})
    assert "no column of times such as 2017-01-31" in str(refused("--url", url))
    error = refused("--url", url, "--time", "day")
    assert "does not hold times such as 2017-01-31" in str(error)
    assert "Make a view" in str(error)


@pytest.mark.postgres
@pytest.mark.parametrize("sql_type", ["date", "timestamp", "timestamptz", "text"])
def test_times_of_postgres_are_found_in_any_type(postgres_url: str, sql_type: str) -> None:
    load_simulated_source(SALES, postgres_url)
    engine = sa.create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        statement = f"ALTER TABLE sales ALTER date TYPE {sql_type} USING date::{sql_type}"
        connection.execute(sa.text(statement))
    engine.dispose()
    found = written("--url", postgres_url, path="sales.yaml")
    assert (found.time.column, found.time.frequency) == ("date", "D")
    check_that_it_can_be_read(found, postgres_url, SALES.rows)


def test_single_events_become_days(tmp_path: Path) -> None:
    days = [f"2017-01-{day:02d}" for day in range(1, 31)]
    times = [f"{day} {clock}" for day in days for clock in ("09:05:09", "17:30:00")]
    url = write_table(tmp_path / "till.db", shop_table(times), table="till")
    found = written("--url", url, path="till.yaml")
    assert found.time.frequency == "D"
    check_that_it_can_be_read(found, url, 4 * 30)


def test_every_flag_is_taken_as_given(shop: str) -> None:
    flags = (
        "--name corner --key item --key store_id --time day --frequency D --target price "
        "--horizon 3 --known promoted --past none --static none --gaps missing --hash 5 "
        "--output mine.yaml"
    )
    found = written("--url", shop, "--table", "shop", *flags.split(), path="mine.yaml")
    assert (found.name, found.keys, found.partitioning.hash) == ("corner", ("item", "store_id"), 5)
    assert (found.target, found.horizon, found.gaps) == ("price", 3, "missing")
    assert (found.features.known_names, found.features.past) == (("promoted",), ())
    assert found.features.static == ()


def test_a_placeholder_is_kept_in_the_file(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_FILE", shop.removeprefix("sqlite:///"))
    assert written("--url", "sqlite:///${SHOP_FILE}").source.url == "sqlite:///${SHOP_FILE}"


def test_columns_and_the_next_commands_are_shown(shop: str) -> None:
    output = run("--url", shop).stdout
    region = next(line for line in output.splitlines() if line.startswith("region"))
    assert region.split() == ["region", "TEXT", "2", "0", "region", "1", "region", "2"]
    assert "many-models check shop.yaml" in output and "many-models run shop.yaml" in output


@pytest.mark.usefixtures("terminal")
def test_only_what_no_flag_gave_is_asked(shop: str) -> None:
    # time, keys, frequency, gaps, horizon, known, past, static, partitioning
    answers = ["", "", "", "missing", "", "price, promoted", "none", "", "item"]
    given = ("--url", shop, "--target", "sales", "--name", "corner")
    result = run(*given, answers="\n".join(answers) + "\n")
    assert result.exception is None, result.output
    assert "Target" not in result.output and "Name of" not in result.output
    found = load_use_case(Path("corner.yaml"))
    assert isinstance(found, UseCase)
    assert (found.keys, found.gaps, found.partitioning.by) == (
        ("store_id", "item"),
        "missing",
        "item",
    )
    assert (found.features.known_names, found.features.past) == (("price", "promoted"), ())


@pytest.mark.usefixtures("terminal")
def test_a_wrong_answer_is_explained_and_asked_again(shop: str) -> None:
    answers = [shop, "", "", "", "sale", "sales", *[""] * 7]
    result = run(answers="\n".join(answers) + "\n")
    assert result.exception is None, result.output
    assert "no column 'sale'" in result.output and "Did you mean 'sales'?" in result.output
    assert load_use_case(Path("shop.yaml")).target == "sales"


@pytest.mark.usefixtures("terminal")
def test_a_table_is_chosen_from_the_list(shop: str, tmp_path: Path) -> None:
    write_table(tmp_path / "shop.db", shop_table(), table="other")
    result = run("--url", shop, answers="another\nother\n" + "\n" * 11)
    assert result.exception is None, result.output
    assert "Tables: other, shop" in result.output
    assert load_use_case(Path("other.yaml")).source.table == "other"


@pytest.mark.usefixtures("terminal")
def test_yes_asks_nothing_at_a_terminal(shop: str) -> None:
    assert written("--url", shop, "--yes").target == "sales"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"quantity": range(240)},
            r"does not show its target: give --target, one of: price, .*, quantity",
        ),
        (
            {"shipped": "2017-01-01"},
            r"which of its times counts: give --time, one of: day, shipped",
        ),
        ({"day": "2017-01-01"}, r"has one time only: give --frequency, one of h, D, "),
    ],
)
def test_where_no_guess_is_safe_the_flag_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    url = write_table(tmp_path / "shop.db", shop_table().assign(**change))
    with pytest.raises(UseCaseError, match=message):
        raise refused("--url", url)


def test_keys_that_cannot_be_seen_are_asked_for(tmp_path: Path) -> None:
    url = write_table(tmp_path / "shop.db", shop_table()[["day", "sales"]].head(60))
    with pytest.raises(UseCaseError, match=r"does not show which columns are its keys: give --key"):
        raise refused("--url", url)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--target sale", r"no column 'sale'; .* Did you mean 'sales'\?"),
        ("--key stor_id", r"no column 'stor_id'; .* Did you mean 'store_id'\?"),
        ("--known pric", r"no column 'pric'; .* Did you mean 'price'\?"),
        ("--target region", r"holds no numbers, as target needs, but values such as 'region 1'"),
        ("--key day --time day", r"column 'day' is used twice"),
        ("--partition-by region", r"one of the keys \(store_id, item\), not of 'region'"),
        ("--name Shop", r"such as 'shop', not 'Shop'"),
        ("--table shops", r"has no table 'shops'; it has 'shop'\. Did you mean 'shop'\?"),
        ("--frequency W-TUE", r"'W-TUE' is not known here"),
    ],
)
def test_a_wrong_flag_is_answered_with_the_remedy(shop: str, flags: str, message: str) -> None:
    with pytest.raises(ManyModelsError, match=message):
        raise refused("--url", shop, *flags.split())
    assert not list(Path().glob("*.yaml"))


def test_a_name_with_a_space_needs_an_alias(tmp_path: Path) -> None:
    frame = shop_table().rename(columns={"sales": "sales today"})
    url = write_table(tmp_path / "shop.db", frame)
    with pytest.raises(UseCaseError, match=r'SELECT "sales today" AS sales_today'):
        raise refused("--url", url, "--target", "sales today")


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    url = write_table(tmp_path / "shop.db", shop_table().head(0))
    with pytest.raises(UseCaseError, match=r"table 'shop' of .* has no rows to look at"):
        raise refused("--url", url)


def test_an_empty_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "none.db").touch()
    with pytest.raises(UseCaseError, match="has no tables; is it the right --url"):
        raise refused("--url", "sqlite:///none.db")


def test_what_is_missing_without_a_terminal_is_named(shop: str, tmp_path: Path) -> None:
    assert "Give --url" in str(refused())
    write_table(tmp_path / "shop.db", shop_table(), table="other")
    assert "Give --table, one of: other, shop" in str(refused("--url", shop))


@pytest.mark.parametrize("url", ["sqlite:///${NO_SUCH_NAME}/shop.db", "sqlite:///a$"])
def test_a_placeholder_that_is_not_set_is_named(url: str) -> None:
    assert "environment variable" in str(refused("--url", url))


def test_a_database_that_cannot_be_reached_is_an_error() -> None:
    assert isinstance(refused("--url", "sqlite:///nowhere.db"), SourceError)


def test_a_file_is_replaced_only_by_force(shop: str) -> None:
    Path("shop.yaml").write_text("mine")
    assert "--force replaces it" in str(refused("--url", shop))
    assert Path("shop.yaml").read_text() == "mine"
    assert written("--url", shop, "--force").name == "shop"


def test_a_folder_that_is_not_there_is_named(shop: str) -> None:
    assert "another --output" in str(refused("--url", shop, "--output", "no/such/file.yaml"))


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("postgresql://ann:s3cret@host/db", True),
        ("postgresql://host/db?password=s3cret", True),
        ("postgresql://ann:${PASSWORD}@host/db", False),
        ("postgresql://ann@host/db", False),
        ("sqlite:////data/a:b@c.db", False),
        ("sqlite:///shop.db", True),
        ("sqlite:///${FOLDER}/shop.db", False),
    ],
)
def test_a_password_or_a_relative_path_in_the_file_is_warned_of(url: str, warned: bool) -> None:
    assert bool(_url_warnings(url)) is warned


def test_both_ways_to_partition_at_once_are_a_misuse(shop: str) -> None:
    result = run("--url", shop, "--hash", "3", "--partition-by", "item")
    assert result.exit_code == 2


@pytest.fixture
def flights(tmp_path: Path) -> str:
    return write_table(tmp_path / "flights.db", flights_table(), table="flights")


def written_of_rows(*arguments: str, answers: str = "") -> TabularUseCase:
    result = run(*arguments, answers=answers)
    assert result.exception is None, result.exception or result.output
    found = load_use_case(Path("flights.yaml"))
    assert isinstance(found, TabularUseCase)
    return found


KEYS = ("--key", "origin_airport", "--key", "dest")


@pytest.mark.parametrize(
    ("problem", "target", "features"),
    [
        ("classification", "late", ("hour", "wind", "delay")),
        ("regression", "delay", ("hour", "wind")),
    ],
)
def test_rows_are_proposed_where_the_problem_says_so(
    flights: str, problem: str, target: str, features: tuple[str, ...]
) -> None:
    found = written_of_rows("--url", flights, "--problem", problem, "--target", target, *KEYS)
    assert (found.problem, found.target, found.keys) == (problem, target, KEYS[1::2])
    assert (found.time.column, found.row_id) == ("departs", "flight")
    assert found.features.numeric == features
    assert found.features.categorical == (("carrier",) if target == "late" else ("carrier", "late"))
    assert found.partitioning.by == "origin_airport"
    assert len(found.candidate_names) == 3
    source = SourceDatabase(flights)
    stream = source.stream(
        query_of(found, source),
        start=datetime(2024, 1, 1),
        end=datetime(2024, 4, 1),
        schema=raw_columns(found),
    )
    assert stream.read_all().num_rows == 4 * 200


def test_what_a_proposal_of_rows_trains_beats_the_baseline(flights: str) -> None:
    arguments = ("--problem", "classification", "--target", "late", "--numeric", "wind")
    found = written_of_rows("--url", flights, *arguments, *KEYS, "--categorical", "carrier")
    assert found.features.numeric == ("wind",)
    routes = {("JFK", "LAX"): make_route()}
    table = train_shard(
        shard_of(found, routes),
        found,
        partition="JFK",
        trained_through=last_day(routes["JFK", "LAX"]),
    )
    (row,) = table.to_pylist()
    assert row["status"] == "trained"
    assert row["score"] > row["baseline_score"] + 0.1


def test_questions_follow_the_problem(flights: str, terminal: None) -> None:
    answers = "\n".join(["", "", "late", "origin_airport, dest", "", "wind", "", "3", ""]) + "\n"
    found = written_of_rows("--url", flights, "--problem", "classification", answers=answers)
    assert (found.target, found.features.numeric, found.days_ahead) == ("late", ("wind",), 3)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--gaps", "zero"), "--gaps means nothing in problem 'classification'; leave it out"),
        (("--past", "wind"), "--past means nothing in problem 'classification'"),
        (("--target", "wind"), "'wind' of table 'flights' has more than 100 values, too many"),
        (("--target", "lates"), "'lates'"),
        (("--numeric", "carrier"), "holds no numbers, as numeric needs"),
    ],
)
def test_what_does_not_fit_rows_is_refused(
    flights: str, arguments: tuple[str, ...], expected: str
) -> None:
    found = refused("--url", flights, "--problem", "classification", *KEYS, *arguments)
    assert expected in str(found)


def test_a_forecast_has_no_row_id(shop: str) -> None:
    found = refused("--url", shop, "--row-id", "item")
    assert "--row-id means nothing in problem 'forecast'" in str(found)


def test_what_is_null_where_the_target_is_is_no_feature(tmp_path: Path) -> None:
    frame = flights_table()
    for name in ("late", "delay"):
        frame[name] = frame[name].where(frame.index % 200 < 180)
    url = write_table(tmp_path / "flights.db", frame, table="flights")
    arguments = ("--url", url, "--problem", "classification", "--target", "late", *KEYS)
    found = written_of_rows(*arguments)
    assert found.features.numeric == ("hour", "wind")
    result = run(*arguments, "--force")
    assert "features (hour, wind, carrier) that are known only when late is" in result.output


def test_rows_that_nothing_tells_apart_need_an_answer(tmp_path: Path) -> None:
    twice = pd.concat([flights_table(60)] * 2)
    url = write_table(tmp_path / "flights.db", twice, table="flights")
    arguments = ("--url", url, "--problem", "regression", "--target", "delay", *KEYS)
    assert "what tells rows of one group and time apart: give --row-id" in str(refused(*arguments))
    result = run(*arguments, "--row-id", "flight")
    assert "240 of 480 rows share their keys, departs and flight" in result.output
