"""What a process does that replaces slices again and again; light to import."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection

from many_models.adapters.results.store import ResultStore, Slice


def replace_again(
    url: str, transactions: Sequence[Sequence[Slice]], rounds: int, started: Connection
) -> None:
    """Replace the slices of each transaction, one after the other, so many times."""
    store = ResultStore(url)
    for number in range(rounds):
        for slices in transactions:
            store.replace_slices(slices)
        if not number:
            started.send(number)
