"""Cursors that fit on a page."""

import pytest

from many_models.core.packed_text import SHORT, pack_text, unpack_text


@pytest.mark.parametrize("text", ["", '{"seen":{}}', "ä" * SHORT, "zlib" * SHORT])
def test_what_was_packed_comes_back(text: str) -> None:
    assert unpack_text(pack_text(text)) == text


def test_a_short_text_stays_readable() -> None:
    assert pack_text('{"seen":{}}') == '{"seen":{}}'


def test_a_year_of_days_loaded_at_once_takes_a_few_lines() -> None:
    days = ",".join(f'"day {n}":[48,"2026-11-23T03:21:01"]' for n in range(365))
    packed = pack_text(days)
    assert len(packed) < len(days) / 6
    assert max(map(len, packed.splitlines())) < 100


@pytest.mark.parametrize("damaged", ["zlib:", "zlib:x", "zlib:AAAA", None])
def test_what_cannot_be_read_is_no_text(damaged: str | None) -> None:
    assert unpack_text(damaged) is None
