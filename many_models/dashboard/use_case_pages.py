"""The pages of a use case: each reads what it tells and hands it to its template."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from many_models.core.errors import UseCaseError
from many_models.dashboard import drawings
from many_models.dashboard.asked import Name, Page, Text
from many_models.dashboard.group_page import group_page
from many_models.dashboard.rendering import Pages
from many_models.dashboard.site import Site
from many_models.steps.pages import attention, candidates, groups, inventory, overview, partitions
from many_models.steps.pages.groups import Sought
from many_models.steps.pages.reader import Reader


def use_case_pages(site: Site, pages: Pages) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)
    _add_summaries(router, site, pages)
    _add_lists(router, site, pages)

    @router.get("/{name}/group")
    def group(name: str, key: Text) -> HTMLResponse:
        """One group: history, forecast, model, ledger."""
        return group_page(site, pages, name, key)

    return router


def _add_summaries(router: APIRouter, site: Site, pages: Pages) -> None:
    @router.get("/{name}")
    def show_overview(name: str) -> HTMLResponse:
        """How many models, how good, how fresh, at what cost."""
        with site.reading(name) as reader:
            use_case = reader.use_case
            return pages.of(
                reader.use_case,
                "overview.html",
                "",
                found=overview.read_overview(reader),
                skill=drawings.skill(overview.skill_bins(reader)),
                sources=drawings.sources(overview.sources_by_origin(reader)),
                totals=drawings.totals(use_case, overview.totals_by_day(reader)),
                accuracy=drawings.accuracy(use_case, overview.accuracy_by_day(reader)),
                concerns=_counted(reader),
                runs=overview.runs(reader),
            )

    @router.get("/{name}/partitions")
    def show_partitions(name: str, order: Text = "groups", page: Page = 1) -> HTMLResponse:
        """The map of partitions, and a table of them."""
        with site.reading(name) as reader:
            return pages.of(
                reader.use_case,
                "partitions.html",
                "partitions",
                treemap=drawings.treemap(partitions.tiles(reader), pages.links(name)),
                found=partitions.list_partitions(reader, order, page),
                order=order,
            )

    @router.get("/{name}/partition")
    def show_partition(
        name: str,
        of: Name,
        order: Text = "skill",
        page: Page = 1,
    ) -> HTMLResponse:
        """One partition: its groups, its pooled model."""
        with site.reading(name) as reader:
            training = overview.read_training(reader, of)
            if not training.groups:
                raise UseCaseError(
                    f"{name} has no partition {of!r}; its page Partitions lists them"
                )
            return pages.of(
                reader.use_case,
                "partition.html",
                "partitions",
                partition=of,
                training=training,
                pooled=overview.read_pooled(reader, of),
                skill=drawings.skill(overview.skill_bins(reader, of)),
                found=groups.list_groups(reader, Sought(partition=of), order, page),
                order=order,
            )

    @router.get("/{name}/candidates")
    def show_candidates(name: str) -> HTMLResponse:
        """Which kinds of models win."""
        with site.reading(name) as reader:
            return pages.of(
                reader.use_case,
                "candidates.html",
                "candidates",
                winners=candidates.winners(reader),
                tried=candidates.tried(reader),
                wins=drawings.wins(candidates.winners_by_partition(reader)),
            )


def _add_lists(router: APIRouter, site: Site, pages: Pages) -> None:
    @router.get("/{name}/groups")
    def show_groups(
        name: str,
        q: Text = "",
        partition: Text = "",
        status: Text = "",
        candidate: Text = "",
        order: Text = "key",
        page: Page = 1,
    ) -> HTMLResponse:
        """Groups by what their keys contain and how they ended."""
        with site.reading(name) as reader:
            sought = Sought(q, partition, status, candidate)
            return pages.of(
                reader.use_case,
                "groups.html",
                "groups",
                found=groups.list_groups(reader, sought, order, page),
                sought=sought,
                order=order,
                search=q,
            )

    @router.get("/{name}/inventory")
    def show_inventory(
        name: str, partition: Text = "", order: Text = "order", page: Page = 1
    ) -> HTMLResponse:
        """What to order now, and at which stock to order."""
        with site.reading(name) as reader:
            if not inventory.has_inventory(reader):
                raise UseCaseError(
                    f"{name} has no inventory: its file says nothing of lead times and service "
                    "levels. Give it a section `inventory`, and run it."
                )
            return pages.of(
                reader.use_case,
                "inventory.html",
                "inventory",
                due=inventory.count_due(reader),
                found=inventory.list_inventory(reader, partition, order, page),
                partition=partition,
                order=order,
            )

    @router.get("/{name}/attention")
    def show_attention(
        name: str, kind: Text = "", partition: Text = "", page: Page = 1
    ) -> HTMLResponse:
        """What somebody should look at, and why."""
        with site.reading(name) as reader:
            counts = _counted(reader)
            chosen = kind or next((c.name for c, n in counts if n), "failed")
            if chosen not in attention.CONCERNS:
                known = ", ".join(attention.CONCERNS)
                raise UseCaseError(f"there is no concern {kind!r}; there are: {known}")
            return pages.of(
                reader.use_case,
                "attention.html",
                "attention",
                counts=counts,
                concern=attention.CONCERNS[chosen],
                found=attention.list_concern(reader, chosen, page, partition),
                partition=partition,
            )


def _counted(reader: Reader) -> list[tuple[attention.Concern, int]]:
    return [(c, attention.count_concern(reader, c.name)) for c in attention.CONCERNS.values()]
