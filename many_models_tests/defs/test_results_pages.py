"""Where an operator is sent to see results."""

from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest

from many_models import settings
from many_models.defs.results_pages import link_groups, overview_link, partition_link
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case()


def test_without_an_address_there_are_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.RESULTS_URL, "")
    assert overview_link(USE_CASE) == partition_link(USE_CASE, "s1") == {}
    assert link_groups(USE_CASE, ["store=1,item=2"]) == ""


def test_links_lead_to_the_pages_whatever_names_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.RESULTS_URL, "https://host/results/")
    assert overview_link(USE_CASE) == {
        "results": dg.MetadataValue.url("https://host/results/sales")
    }
    (link,) = partition_link(USE_CASE, "a/b &?#%").values()
    assert parse_qs(urlsplit(link.url or "").query) == {"name": ["a/b &?#%"]}


def test_groups_below_a_picture_are_links_in_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.RESULTS_URL, "https://host")
    assert link_groups(USE_CASE, ["store=1,item=[x]<b>"]) == (
        "\n\n[store=1,item=\\[x\\]\\<b\\>]"
        "(https://host/sales/group?key=store%3D1%2Citem%3D%5Bx%5D%3Cb%3E)"
    )
