from __future__ import annotations

from pathlib import Path

import pytest

from many_models.core.errors import UseCaseError
from many_models.core.use_case_file import find_use_case_files, load_use_case, parse_use_case

GOOD = """
name: sales
source: {url: "sqlite:///${HOME}/sales.db", table: sales, start: 2024-01-01}
keys: [store, item]
partitioning: {by: store}
time: {column: date, frequency: D}
target: sold
horizon: 7
gaps: zero
features:
  known: [price, {name: promotion, fill: zero}]
"""


def _complaint(text: str) -> str:
    with pytest.raises(UseCaseError) as failure:
        parse_use_case(text, name="sales.yaml")
    return str(failure.value)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sales.yaml"
    path.write_text(GOOD, encoding="utf-8")
    use_case = load_use_case(path)
    assert use_case.keys == ("store", "item")
    assert use_case.source.url == "sqlite:///${HOME}/sales.db"


def test_the_use_cases_that_ship_with_the_package_are_valid() -> None:
    import many_models

    files = find_use_case_files([str(Path(many_models.__file__).parent / "use_cases")])
    assert [load_use_case(path).name for path in files] == [path.stem for path in files]
    assert files


@pytest.mark.parametrize(
    ("wrong", "right", "line"),
    [
        (
            "horizn: 7",
            "horizon: 7",
            "  horizn: unknown field; did you mean 'horizon'? allowed here: ",
        ),
        (
            "zzz: 7\nhorizon: 7",
            "horizon: 7",
            "  zzz: unknown field; allowed here: name, description",
        ),
        ("fil: zero", "fill: zero", "  features.known.1.fil: unknown field; did you mean 'fill'? "),
        ("gaps: nul", "gaps: zero", "  gaps: Input should be 'zero' or 'missing' (got 'nul')"),
        (
            "horizon: -1",
            "horizon: 7",
            "  horizon: Input should be greater than or equal to 1 (got -1)",
        ),
        ("frequency: Y", "frequency: D", "  time.frequency: Input should be 'h', 'D', 'W-MON'"),
        (
            "keys: [on, item]",
            "keys: [store, item]",
            "  keys.0: Input should be a valid string (got True)",
        ),
        (
            "target: item",
            "target: sold",
            "  target: column 'item' is used twice; each has one role",
        ),
        ("by: region", "by: store", "  partitioning.by: 'region' is not one of the keys"),
        ("", "gaps: zero", "  gaps: this field is required"),
        ("", ", table: sales", "  source: give either query or table, not both or neither"),
        (
            "time: date",
            "time: {column: date, frequency: D}",
            "  time: Input should be a valid dictionary",
        ),
        ("target: 1", "target: sold", "  target: Input should be a valid string (got 1)"),
        ("target: 1st-sale", "target: sold", "  target: String should match pattern"),
    ],
)
def test_a_wrong_field_is_answered_with_its_path_value_and_what_is_allowed(
    wrong: str, right: str, line: str
) -> None:
    assert right in GOOD
    complaint = _complaint(GOOD.replace(right, wrong))
    assert complaint.startswith("sales.yaml is not a valid use case:\n")
    assert line in complaint


def test_all_wrong_fields_are_named_at_once() -> None:
    complaint = _complaint(GOOD.replace("horizon: 7", "horizon: 0").replace("zero\n", "none\n"))
    assert "  horizon: " in complaint
    assert "  gaps: " in complaint


DESCRIBED = """
candidates:
  - seasonal_naive
  - {name: my_ridge, estimator: ridge, with: {log_target: true, half_life: 180}}
  - {estimator: sklearn.ensemble.RandomForestRegressor, with: {n_estimators: 50}}
"""


def test_candidates_are_described_in_the_file() -> None:
    use_case = parse_use_case(GOOD + DESCRIBED, name="sales.yaml")
    names = ("seasonal_naive", "my_ridge", "RandomForestRegressor")
    assert use_case.candidate_names == names


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("RandomForestRegressor", "Forest", "candidates.2.estimator: 'sklearn.ensemble.Forest'"),
        ("half_life", "halflife", "candidates.1.estimator: ridge cannot be made with"),
        ("with: {n_", "params: {n_", "candidates.2.params: unknown field; allowed here: estimator"),
        ("seasonal_naive", "ridge", "candidates: the baseline 'seasonal_naive' must be one of"),
    ],
)
def test_a_candidate_that_cannot_be_made_is_answered_with_its_place(
    right: str, wrong: str, line: str
) -> None:
    assert line in _complaint(GOOD + DESCRIBED.replace(right, wrong))


def test_a_field_given_twice_is_refused() -> None:
    complaint = _complaint(GOOD + "horizon: 14\n")
    assert "the field 'horizon' is given twice" in complaint
    assert "line 12" in complaint


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "42"])
def test_a_file_without_fields_is_refused(text: str) -> None:
    assert "sales.yaml must hold fields such as 'name: ...'" in _complaint(text)


def test_broken_yaml_is_shown_with_its_place() -> None:
    complaint = _complaint("name: [sales\nkeys: x")
    assert complaint.startswith("sales.yaml is not valid YAML")
    assert "line 2" in complaint


def test_a_field_whose_name_is_no_text_is_refused() -> None:
    assert "1" in _complaint(GOOD + "1: x\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UseCaseError, match=r"missing\.yaml' cannot be read"):
        load_use_case(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(UseCaseError, match=r"latin\.yaml' cannot be read"):
        load_use_case(tmp_path / "latin.yaml")


def test_files_are_found_in_folders_in_order_and_once(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "notes.txt"):
        (tmp_path / name).touch()
    found = find_use_case_files([str(tmp_path), str(tmp_path / "b.yaml"), str(tmp_path / "none")])
    assert [path.name for path in found] == ["a.yaml", "b.yaml"]
