"""Commands ``demo`` and ``simulate``: data to see the platform at work on."""

from __future__ import annotations

import os
from datetime import date
from functools import partial
from pathlib import Path

import click

from many_models import settings
from many_models.commands.run import run_use_case
from many_models.core.use_case_file import load_use_case
from many_models.progress import show_progress

GALLERY = ("grocery", "flights", "warehouse", "restaurants", "oil_wells")


@click.command()
@click.argument("name", type=click.Choice([*GALLERY, "day"]), default="grocery")
def demo(name: str) -> None:
    """Run the whole pipeline on a use case of the gallery, or play a day in its life.

    NAME is, on real data, grocery (sales of every store and department; the default) or flights
    (late arrivals of every route from New York); on simulated data warehouse (safety stock of every
    product), restaurants (covers of every franchise) or oil_wells (will a pump fail?); or day: what
    the sensors do when simulated sales come in, accuracy collapses and a store opens.
    """
    if name == "day":
        _play_day()
        return
    from many_models.adapters.sources.demos import load_demo

    use_case = load_use_case(settings.PACKAGED_USE_CASES / f"{name}.yaml")
    run_use_case(use_case, prepare=lambda: load_demo(name, _home() / "demo" / f"{name}.db"))
    click.echo("Next: `make ui` shows all of this in Dagster; README.md leads to your own data.")


def _play_day() -> None:
    from many_models.adapters.spark.session import check_java
    from many_models.defs.instance import open_instance
    from many_models.demo_day.retailer import Retailer
    from many_models.demo_day.story import play

    check_java()
    retailer = Retailer.founded(_home() / "demo", stores=6, items=5, history_days=120)
    with show_progress(_home() / "logs" / "day.log"), open_instance(_home()) as instance:
        play(retailer, instance, os.environ[settings.STORE], partial(click.secho, bold=True))
    click.echo(f"\nNext: `many-models retraining {retailer.file}`, then `ui` with this file.")


@click.command()
@click.option("--stores", default=10, show_default=True, type=click.IntRange(1))
@click.option("--items", default=20, show_default=True, type=click.IntRange(1))
@click.option("--days", default=730, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
@click.option("--url", help="SQLite or PostgreSQL; by default the source of use case simulated.")
def simulate(stores: int, items: int, days: int, seed: int, url: str | None) -> None:
    """Fill table sales of a database with the sales of a simulated retailer."""
    from many_models.adapters.sources.simulated import load_simulated_source
    from many_models.core.simulation.retailer import SimulatedSales

    sales = SimulatedSales(stores, items, days, seed)
    if sales.end > date.today():
        most = (date.today() - sales.start).days
        raise click.BadParameter(f"the simulation starts on {sales.start}: at most {most} --days")
    use_case = load_use_case(settings.PACKAGED_USE_CASES / "simulated.yaml")
    target = url or settings.source_url(use_case, os.environ)
    (_home() / "demo").mkdir(parents=True, exist_ok=True)
    with show_progress(_home() / "logs" / "simulate.log"):
        rows = load_simulated_source(sales, target)
    click.echo(f"{rows:,} rows of {sales.groups:,} groups, up to {sales.end}.")
    click.echo(
        "Next: `many-models run simulated`" + (", with this URL in its file." if url else "")
    )


def _home() -> Path:
    return Path(os.environ[settings.HOME])
