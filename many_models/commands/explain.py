"""The command ``explain``: what one group's model is made of, and which features do how much."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

import click

from many_models import settings
from many_models.commands.table import as_table
from many_models.commands.use_case import UseCaseFile
from many_models.core.use_case import AnyUseCase

COLUMNS = ("member", "effect", "feature", "class", "value", "standardised", "share")


@click.command()
@click.argument("use_case", type=UseCaseFile())
@click.option("--key", required=True, help="Such as store_id=17,department=DELI.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(use_case: AnyUseCase, key: str, as_json: bool) -> None:
    """Print which features do how much in the model of one key: the champion, if there is one."""
    from many_models.defs.resources import build_champions
    from many_models.steps.explanations import read_explanation
    from many_models.steps.results import open_results

    results = open_results(os.environ[settings.STORE], use_case)
    found = read_explanation(use_case, key, build_champions(use_case, os.environ), results)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    click.echo(f"{key}: {found.candidate} ({found.origin})")
    if found.effects:
        click.echo(as_table(COLUMNS, [_shown(effect) for effect in found.effects]))
    else:
        click.echo("This model has nothing to tell.")


def _shown(effect: dict[str, Any]) -> tuple[str, ...]:
    share = effect.get("share")
    return (
        effect["member"],
        effect["effect"],
        effect["feature"],
        effect.get("class_name", ""),
        f"{effect['value']:.4g}",
        f"{effect['standardised']:.4g}" if "standardised" in effect else "",
        "" if share is None else f"{share:.1%}",
    )
