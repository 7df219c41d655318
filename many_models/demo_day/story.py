"""What happens to the retailer, and what its sensors make of it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from many_models.core.use_case_file import load_use_case
from many_models.defs.launch import Launcher
from many_models.demo_day.daemon import Daemon, Ran
from many_models.demo_day.retailer import DAYS_TOLD, Retailer
from many_models.steps.results import open_results

DAY = timedelta(days=1)
RUSH = 5.0  # times what a store sold before its competitor closed
BOOKS_DAYS = 75  # of sales that the new store brings along
NAMES_SHOWN = 4

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Chapter:
    """Something that happened, and the runs that the sensors have asked for because of it.

    ``again`` are the runs that they asked for when nothing had happened since.
    """

    refreshed: tuple[Ran, ...]
    retrained: tuple[Ran, ...]
    again: tuple[Ran, ...]


@dataclass(frozen=True)
class Story:
    """Who is in it, what happened, and the rows of the audit of retraining.

    ``reported`` are the dates of the first chapter: of a day, and of rows that came late.
    """

    reported: tuple[date, date]
    rushed: tuple[str, ...]
    opened: str
    chapters: tuple[Chapter, ...]
    requests: tuple[dict[str, object], ...]


def play(retailer: Retailer, instance: dg.DagsterInstance, store_url: str, tell: Tell) -> Story:
    """Play it in the home folder at hand, which needs a Spark; ``tell`` gets its lines."""
    *stores, opened = retailer.stores
    rushed, others = (stores[1], stores[-1]), [stores[0], *stores[2:-1]]
    today = date.today()
    day = today - DAY * (DAYS_TOLD - 1)
    late = day - DAY
    tell(f"{len(stores)} stores have sold {retailer.sales.items} items until {late}.")
    retailer.load(stores, retailer.sales.start, late, ago=2 * DAY)
    retailer.load(stores[1:], late, day, ago=2 * DAY)
    use_case = load_use_case(retailer.file)
    Launcher(use_case, instance).run()
    daemon = Daemon(use_case, instance)
    _ask(daemon, ["new_data"], lambda _: None)  # from now on it knows what the run has taken in

    def chapter(title: str, *loads: tuple[Collection[str], date, date, float]) -> Chapter:
        tell(title)
        for names, start, end, times in loads:
            retailer.load(names, start, end, times=times)
        refreshed = _ask(daemon, ["new_data"], tell)
        retrained = _ask(daemon, ["retraining"], tell)
        return Chapter(refreshed, retrained, _ask(daemon, ["new_data", "retraining"], tell))

    chapters = (
        chapter(
            f"Sales of {day} come in; {stores[0]} hands in those of {late}, a day late.",
            (stores[:1], late, day, 1.0),
            (stores, day, day + DAY, 1.0),
        ),
        chapter(
            f"Two weeks later: where competitors closed, {' and '.join(rushed)} sell {RUSH:g} "
            "times as much, which no model could know.",
            (others, day + DAY, today, 1.0),
            (rushed, day + DAY, today, RUSH),
        ),
        chapter(
            f"A new store opens, {opened}, and brings its books.",
            ([opened], today - DAY * BOOKS_DAYS, today, 1.0),
        ),
    )
    results = open_results(store_url, use_case)
    requests = results.store.query(
        f'SELECT * FROM "{results.name("retraining")}" ORDER BY requested_at, "partition"'
    )
    return Story((late, day), rushed, opened, chapters, tuple(requests.to_pylist()))


def _ask(daemon: Daemon, sensors: Collection[str], tell: Tell) -> tuple[Ran, ...]:
    ran: list[Ran] = []
    for sensor in sensors:
        runs = daemon.ask(sensor)
        for run in runs:
            tell(f"  sensor {sensor}: run {run.job} of {_shorten(run.names)}")
            for check, names in run.failed.items():
                tell(f"    check {check} fails{' in ' if names else ''}{_shorten(names)}")
        if not runs:
            tell(f"  sensor {sensor}: {daemon.skipped[sensor]}")
        ran += runs
    return tuple(ran)


def _shorten(names: tuple[str, ...]) -> str:
    few = len(names) <= NAMES_SHOWN
    return ", ".join(names) if few else f"{names[0]} to {names[-1]} ({len(names)})"
