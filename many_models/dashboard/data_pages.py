"""The page of all data, with what its columns mean, and downloads of any slice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse

from many_models.adapters.results.row_files import MEDIA_TYPES, stream_rows
from many_models.dashboard.asked import First, Last, Text
from many_models.dashboard.rendering import Pages
from many_models.dashboard.site import Site
from many_models.steps.exports import Wish, exported, file_name, open_export, time_column


def data_pages(site: Site, pages: Pages) -> APIRouter:
    router = APIRouter()

    @router.get("/{name}/data", response_class=HTMLResponse)
    def data(
        name: str,
        partition: Text = "",
        origin: Text = "",
        key: Text = "",
        first: First = "",
        last: Last = "",
    ) -> HTMLResponse:
        """Tables and views with their columns, to be downloaded."""
        results = site.results(name)
        shown = []
        for one in exported(results):
            columns = {column.name for column in one.columns}
            narrowed = {
                "partition": partition if "partition" in columns else "",
                "origin": origin if "origin" in columns else "",
                "key": key if "group_key" in columns else "",
                "from": first if time_column(one) else "",
                "to": last if time_column(one) else "",
            }
            shown.append((one, narrowed))
        wish = {"partition": partition, "origin": origin, "key": key, "from": first, "to": last}
        return pages.of(results.use_case, "data.html", "data", shown=shown, wish=wish)

    @router.get("/{name}/data/{table}.{kind}")
    def download(
        name: str,
        table: str,
        kind: Literal["csv", "parquet"],
        partition: Text = "",
        origin: Text = "",
        key: Text = "",
        first: First = "",
        last: Last = "",
    ) -> StreamingResponse:
        """A slice as a file. Where reading fails on the way, the download breaks off."""
        results = site.results(name)
        wish = Wish(table, partition, origin, key, first, last)
        stack = ExitStack()
        rows = stack.enter_context(open_export(results, wish))

        def content() -> Iterator[bytes]:
            with stack:
                yield from stream_rows(rows, kind)

        given = f'attachment; filename="{file_name(results.use_case, wish, kind)}"'
        headers = {"content-disposition": given, "cache-control": "no-store"}
        headers["content-encoding"] = "identity"  # else it would be packed on the way
        return StreamingResponse(content(), media_type=MEDIA_TYPES[kind], headers=headers)

    return router
