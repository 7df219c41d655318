"""How long does a page take, from the click until its charts are drawn, in a real browser?

A store of ``--groups`` groups in a hundred partitions, with ``--origins`` forecast origins of
``--horizon`` days, all judged; and another of ``--searched`` groups, to search in. Chromium opens
each page without its cache, so that scripts are loaded and read each time. Every page must be
there within two seconds, by the median of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from playwright.sync_api import Browser
from report import measure, parse_arguments, print_report
from results import FIRST, as_table, fill, group_rows

from many_models.adapters.lake.tables import Lake
from many_models.adapters.results.store import ResultStore
from many_models.core.forecast.use_case import UseCase
from many_models.core.results_links import Links
from many_models.dashboard.app import create_app
from many_models.dashboard.site import Site
from many_models.steps.results import Results, open_results
from many_models_tests.adapters.serving.running import running
from many_models_tests.browser import HEIGHT, WIDTH, Watched, running_browser
from many_models_tests.conftest import running_postgres
from many_models_tests.fakes import make_series, make_use_case, noisy_weeks
from many_models_tests.stored_results import put_grouped

SECONDS_MAX = 2.0
FOLDS, EFFECTS = 3, 20
DAYS = 400


def add_models(results: Results, use_case: UseCase, groups: int) -> None:
    """Backtests and explanations of all groups, which a group's page shows."""
    keys, rng = group_rows(groups), np.random.default_rng(0)
    partitions = {"partition": sorted(set(keys["partition"].tolist()))}
    periods = FOLDS * use_case.horizon
    fold = np.repeat(np.arange(FOLDS), use_case.horizon)
    ahead = np.tile(np.arange(1, use_case.horizon + 1), FOLDS)
    origin = np.datetime64(FIRST, "us") - (fold * use_case.horizon).astype("timedelta64[D]")
    backtests = {
        **{name: np.repeat(values, periods) for name, values in keys.items()},
        "origin": np.tile(origin, groups),
        "time": np.tile(origin + ahead.astype("timedelta64[D]"), groups),
        "periods_ahead": np.tile(ahead, groups),
        "prediction": rng.gamma(2.0, 5.0, groups * periods),
        "actual": rng.gamma(2.0, 5.0, groups * periods),
    }
    explanations = {
        **{name: np.repeat(values, EFFECTS) for name, values in keys.items()},
        "member": np.full(groups * EFFECTS, "ridge"),
        "effect": np.full(groups * EFFECTS, "coefficient"),
        "feature": np.tile([f"feature_{n}" for n in range(EFFECTS)], groups),
        "value": rng.normal(size=groups * EFFECTS),
        "share": rng.uniform(0, 0.1, groups * EFFECTS),
    }
    for name, columns in (("backtests", backtests), ("explanations", explanations)):
        schema: pa.Schema = results.declaration.table(name).schema
        results.replace(name, as_table(columns, schema), partitions)


def fill_lake(lake: Lake, use_case: UseCase, sizes: argparse.Namespace) -> None:
    """Histories of the groups of the first partition."""
    keys = group_rows(sizes.groups)
    last = FIRST + timedelta(days=sizes.origins)
    start = (last - timedelta(days=DAYS - 1)).date().isoformat()
    pairs = zip(keys["store"].tolist(), keys["item"].tolist(), strict=True)
    first = [pair for pair in pairs if pair[0] == keys["store"][0]]
    series = {pair: make_series(use_case, start, noisy_weeks(DAYS)) for pair in first}
    put_grouped(lake, use_case, first[0][0], series, last.isoformat())


def visitor(browser: Browser, address: str, charts: int) -> Callable[[], int]:
    """What opens a page without a cache, in a tab of its own, and sees that all of it is there."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    watched = Watched(page)

    def visit() -> int:
        watched.open(address)
        assert watched.charts() == ["drawn"] * charts, (address, watched.charts())
        assert watched.problems == [], watched.problems
        return 1

    return visit


@contextmanager
def served(folder: Path, url: str, use_case: UseCase) -> Iterator[str]:
    """The pages of a store, at an address."""
    site = Site(ResultStore(url), Lake(str(folder / "lake")), use_case)
    with running(create_app(site)) as client:
        client.get("/-/vega.js")
        yield f"http://127.0.0.1:{client.port}"


def pages(browser: Browser, address: str, database: str) -> dict[str, Callable[[], int]]:
    """Every page, with the charts that it must have."""
    links = Links("sales")
    asked = {
        "index": ("/", 0),
        "overview": (links.overview, 4),
        "partitions": (links.page("partitions"), 1),
        "a partition": (links.partition("s000"), 1),
        "groups": (links.page("groups"), 0),
        "search": (links.page("groups", q="s000 0001"), 0),
        "a group": (links.group("store=s000,item=0001"), 2),
        "candidates": (links.page("candidates"), 1),
        "attention": (links.page("attention"), 0),
        "data": (links.page("data"), 0),
    }
    return {
        f"{name}, {database}": visitor(browser, address + path, charts)
        for name, (path, charts) in asked.items()
    }


def main() -> None:
    sizes = parse_arguments(
        __doc__ or "",
        **{"groups": 10_000, "horizon": 28, "origins": 30, "trainings": 5, "rounds": 5},
        searched=100_000,
        postgres=0,
    )
    use_case = make_use_case(name="sales", horizon=sizes.horizon)
    many = argparse.Namespace(**{**vars(sizes), "groups": sizes.searched, "trainings": 1})
    many.origins = many.horizon = 1
    with (
        tempfile.TemporaryDirectory() as place,
        running_postgres(fsync=True) as server,
        running_browser() as browser,
    ):
        folder = Path(place)
        urls = {"SQLite": f"sqlite:///{folder}/results.db"}
        if sizes.postgres:
            urls["PostgreSQL"] = server.url("postgres")
        for url in urls.values():
            results = open_results(url, use_case)
            fill(results, use_case, sizes)
            add_models(results, use_case, sizes.groups)
        if sizes.postgres:
            server.execute("VACUUM ANALYZE")  # as autovacuum does within minutes
        fill_lake(Lake(str(folder / "lake")), use_case, sizes)
        searched = f"sqlite:///{folder}/searched.db"
        fill(open_results(searched, use_case), use_case, many)
        report(browser, folder, urls, searched, use_case, sizes)


def report(
    browser: Browser,
    folder: Path,
    urls: dict[str, str],
    searched: str,
    use_case: UseCase,
    sizes: argparse.Namespace,
) -> None:
    """Visit all pages, and say which are slow."""
    cases = []
    for database, url in urls.items():
        with served(folder, url, use_case) as address:
            cases += measure(pages(browser, address, database), sizes.rounds)
    with served(folder, searched, use_case) as address:
        path = Links("sales").page("groups", q="s000 007")
        name = f"search in {sizes.searched:,} groups"
        cases += measure({name: visitor(browser, address + path, 0)}, sizes.rounds)
    slow = [case.name for case in cases if case.seconds > SECONDS_MAX]
    figures = {
        "slowest page, median seconds": max(case.seconds for case in cases),
        f"pages above {SECONDS_MAX:g} s": len(slow),
    }
    print_report("pages", cases, figures, sizes.json)
    if slow:
        raise SystemExit(f"above {SECONDS_MAX:g} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
