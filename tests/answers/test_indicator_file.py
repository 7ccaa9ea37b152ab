"""An analyst's file of observed counts: read strictly, compared as counts, said in controlled words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hna.answers.comparators import Surroundings
from hna.answers.indicator_file import COLUMNS, compare_indicators, read_indicators
from hna.answers.outcomes import COLUMNS as OUTCOMES
from hna.answers.outcomes import outcomes, printed
from hna.compare import compare, sentences, write_comparisons
from hna.errors import AxisError, QuantityError, SourceError
from hna.evidence.population import areas_and_years
from hna.evidence.shelf import Shelf
from hna.indicators.benchmark import VERDICTS, leave_one_out, neighbour_average, rates_test
from hna.indicators.rates import crude_rate, proportion
from hna.publish.folder import OutputError

HALTON, SEFTON, NORTH_WEST, ENGLAND = "E06000006", "E08000014", "E12000002", "E92000001"
HEAD = "indicator,polarity,kind,area_code,area_name,year,numerator,denominator"


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def authorities(shelf: Shelf) -> dict[str, str]:
    """Upper tier and unitary authorities of 2023."""
    held = areas_and_years(shelf, "ons-mye-2023")[0]
    every = Surroundings(shelf).pool(
        Surroundings(shelf).of(HALTON, ["england"])[0], HALTON, {a.code for a in held.areas}
    )
    return {code: held.find(code).name for code in every.members}


def write(path: Path, rows: Sequence[str], head: str = HEAD) -> Path:
    file = path / "indicators.csv"
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return file


def counts_of(
    authorities: Mapping[str, str],
    more: Mapping[str, object] | None = None,
    kind: str = "proportion",
    level: float = 0.2,
) -> list[str]:
    """Counts that fall a little around one level, the same for every call."""
    random = np.random.default_rng(5)
    rows = []
    for code, name in authorities.items():
        people = int(random.integers(2000, 9000))
        cases: object = int(random.binomial(people, level))
        cases = (more or {}).get(code, cases)
        rows.append(f'smoking at delivery,low-is-good,{kind},{code},"{name}",2023,{cases},{people}')
    return rows


@pytest.fixture
def whole(tmp_path: Path, authorities: dict[str, str]) -> Path:
    return write(tmp_path, counts_of(authorities))


# ---- known answers


def test_every_value_is_that_of_the_array_functions(whole: Path, shelf: Shelf) -> None:
    found = read_indicators(whole)
    table = compare_indicators(found, shelf, ["Halton"])
    assert list(table.columns) == list(COLUMNS)
    assert list(table.comparator) == ["region", "england", "statistical-neighbours"]
    counts = next(iter(found.held.values()))
    own = counts[HALTON]
    value = proportion(own.cases, own.people)
    around = Surroundings(shelf)
    for row, comparator in zip(table.itertuples(), around.of(HALTON), strict=True):
        members = list(around.pool(comparator, HALTON, counts).members)
        inside = HALTON in members
        assert inside == (row.comparator != "statistical-neighbours"), "DfE's group leaves the area itself out"
        cases, people = np.array([counts[code] for code in members]).T
        assert (row.value, row.lower, row.upper) == pytest.approx(tuple(map(float, value)))
        assert row.comparator_value == pytest.approx(cases.sum() / people.sum())
        assert row.comparator_value == pytest.approx(float(neighbour_average(cases, people).value))
        assert row.difference == pytest.approx(row.value - row.comparator_value)
        if not inside:
            members, cases, people = [*members, HALTON], np.append(cases, own.cases), np.append(people, own.people)
        test = leave_one_out(cases, people)
        at = members.index(HALTON)
        scale = 1 - own.people / people.sum() if inside else 1.0
        assert row.p_value == pytest.approx(float(test.p[at]))
        assert row.difference_lower == pytest.approx(float(test.lower[at]) * scale)
        assert row.difference_upper == pytest.approx(float(test.upper[at]) * scale)
        assert row.people == pytest.approx(row.difference * own.people)
        assert row.members == len(members) - (not inside)
        assert row.verdict in {"ns_higher", "ns_lower", "similar", "sig_worse", "sig_better"}


def test_rates_are_events_per_person_years(tmp_path: Path, authorities: dict[str, str], shelf: Shelf) -> None:
    file = write(tmp_path, [f"{row},1000" for row in counts_of(authorities, {HALTON: 9000}, "rate")], HEAD + ",per")
    found = read_indicators(file)
    row = compare_indicators(found, shelf, [HALTON]).query("comparator == 'england'").iloc[0]
    counts = next(iter(found.held.values()))
    own = counts[HALTON]
    cases, people = np.array([one for code, one in counts.items() if code != HALTON]).sum(axis=0)
    assert (row["value"], row["lower"], row["upper"]) == pytest.approx(
        tuple(map(float, crude_rate(9000, own.people, 1000)))
    )
    assert row.p_value == pytest.approx(float(rates_test(9000, own.people, cases, people, 1000).p))
    assert row.unit == "per 1,000"
    assert (row.verdict, row.sentence) == ("sig_worse", "Significantly worse than the England average")


def test_polarity_turns_the_words(tmp_path: Path, authorities: dict[str, str], shelf: Shelf) -> None:
    said = []
    for polarity in ("low-is-good", "high-is-good", "none"):
        rows = [row.replace("low-is-good", polarity) for row in counts_of(authorities, {HALTON: 2000})]
        table = compare_indicators(read_indicators(write(tmp_path, rows)), shelf, ["Halton"])
        said.append(table.query("comparator == 'england'").iloc[0].verdict)
    assert said == ["sig_worse", "sig_better", "sig_higher"]


def test_a_wider_level_finds_less(whole: Path, shelf: Shelf) -> None:
    found = read_indicators(whole)
    usual, strict = (compare_indicators(found, shelf, level=level) for level in (0.95, 0.998))
    assert (strict.difference_lower < usual.difference_lower).all()
    wrong = [table.verdict.str.startswith("sig_").sum() for table in (usual, strict)]
    assert wrong[1] < wrong[0] < 0.1 * len(usual), "no area differs here: one in twenty at 95 per cent"


# ---- whose counts are there


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_neighbours_follow_the_halton_rules(
    tmp_path: Path, authorities: dict[str, str], shelf: Shelf, gone: int
) -> None:
    group = next(iter(Surroundings(shelf).groups(HALTON))).group[:gone]
    file = write(tmp_path, counts_of(authorities, dict.fromkeys(group, "")))
    table = compare_indicators(read_indicators(file), shelf, ["Halton"], suppressed=(1, 7))
    row = table[table.comparator == "statistical-neighbours"].iloc[0]
    assert (row.missing, row["flags"]) == (gone, {0: "", 1: "W861", 2: "W861", 3: "R862"}[gone])
    if gone == 3:
        assert row.verdict == "not_comparable"
        assert pd.isna(row.comparator_value)
    else:
        assert pd.isna(row.bound_lower) == (gone == 0)
    if gone in (1, 2):
        assert row.bound_lower < row.bound_upper < row.comparator_value, "what is hidden is small"


def test_a_region_without_all_its_counts_is_flagged_then_refused(
    tmp_path: Path, authorities: dict[str, str], shelf: Shelf
) -> None:
    around = Surroundings(shelf)
    members = [code for code in around.pool(around.of(HALTON)[0], HALTON, authorities).members if code != HALTON]
    flags = []
    for gone in (0, 1, len(members)):
        file = write(tmp_path, counts_of(authorities, dict.fromkeys(members[:gone], "")))
        row = compare_indicators(read_indicators(file), shelf, ["Halton"], ["region"]).iloc[0]
        flags.append(row["flags"])
        assert (row.verdict == "not_comparable") == (row["flags"] == "R862")
    assert flags == ["", "W861", "R862"]


def test_printed_totals_stand_for_what_is_not_there(tmp_path: Path, shelf: Shelf) -> None:
    rows = [
        f"a,none,proportion,{HALTON},Halton,2023,600,2000",
        f"a,none,proportion,{NORTH_WEST},North West,2023,20000,100000",
        f"a,none,proportion,{ENGLAND},England,2023,200000,1000000",
    ]
    table = compare_indicators(read_indicators(write(tmp_path, rows)), shelf).set_index("comparator")
    assert list(table.verdict[["region", "england"]]) == ["sig_higher", "sig_higher"]
    assert table.comparator_value["region"] == 0.2
    test = leave_one_out([600, 19400], [2000, 98000])
    assert table.p_value["region"] == pytest.approx(float(test.p[0]))
    assert table.verdict["statistical-neighbours"] == "not_comparable"


def test_a_hidden_count_is_not_zero(tmp_path: Path, authorities: dict[str, str], shelf: Shelf) -> None:
    file = write(tmp_path, counts_of(authorities, {HALTON: ""}))
    table = compare_indicators(read_indicators(file), shelf, ["Halton"])
    assert set(table.verdict) == {"not_comparable"}
    assert table["value"].isna().all()
    assert table["sentence"].eq("Not statistically comparable").all()


def test_a_region_is_not_compared_with_itself(tmp_path: Path, authorities: dict[str, str], shelf: Shelf) -> None:
    around = Surroundings(shelf)
    found = read_indicators(write(tmp_path, counts_of(authorities)))
    counts = next(iter(found.held.values()))
    inside = around.pool(around.of(HALTON)[0], HALTON, counts).members
    cases, people = (int(total) for total in np.array([counts[code] for code in inside]).sum(axis=0))
    rows = [
        *counts_of(authorities),
        f"smoking at delivery,low-is-good,proportion,{NORTH_WEST},North West,2023,{cases},{people}",
    ]
    table = compare_indicators(read_indicators(write(tmp_path, rows)), shelf, ["North West"])
    assert list(table.comparator) == ["england"]
    rest = np.array([one for code, one in counts.items() if code not in inside]).sum(axis=0)
    test = leave_one_out([cases, rest[0]], [people, rest[1]])
    assert table.p_value[0] == pytest.approx(float(test.p[0]))


# ---- bad input


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    rows = [
        f"a,low-is-good,proportion,{HALTON},Halton,2023,-3,100",
        f"a,low-is-good,proportion,{SEFTON},Sefton,2023,130,100",
        f"a,low-is-good,proportion,{SEFTON},Sefton,2023,30,100",
        f"b,low-is-bad,share,{HALTON},Halton,2023,12.5,100",
        f"c,none,rate,{HALTON},Halton,2023,5,0",
        f"c,high-is-good,rate,{SEFTON},Sephton,2023,inf,",
        "d,none,rate,,Halton,two,NaN,10",
    ]
    with pytest.raises(SourceError) as caught:
        read_indicators(write(tmp_path, rows))
    said = str(caught.value)
    for wrong in (
        "numerator: is negative [row 2",
        "numerator: has more cases than people [row 3",
        "stand more than once",
        "polarity: is not offered",
        "kind: is not offered",
        "R863",
        "is it a rate?",
        "denominator: is not above 0",
        "several values of polarity",
        "several names",
        "area_code: is blank",
        "year: is not a number",
        "numerator: is not a number",
    ):
        assert wrong in said, wrong


def test_a_file_of_rates_is_refused(tmp_path: Path) -> None:
    head = "indicator,polarity,kind,area_code,area_name,year,value"
    with pytest.raises(SourceError, match="R863") as caught:
        read_indicators(write(tmp_path, [f"a,none,rate,{HALTON},Halton,2023,12.5"], head))
    assert "cannot be pooled" in str(caught.value)


def test_a_count_without_its_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="without what it is among"):
        read_indicators(write(tmp_path, [f"a,none,proportion,{HALTON},Halton,2023,5,"]))


def test_per_belongs_to_rates(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is for rates"):
        read_indicators(write(tmp_path, [f"a,none,proportion,{HALTON},Halton,2023,5,10,100"], HEAD + ",per"))


def test_bad_requests(whole: Path, shelf: Shelf, tmp_path: Path) -> None:
    found = read_indicators(whole)
    with pytest.raises(QuantityError, match=r"0\.95"):
        compare_indicators(found, shelf, ["Halton"], level=95)
    with pytest.raises(AxisError, match="Haltn"):
        compare_indicators(found, shelf, ["Haltn"])
    with pytest.raises(SourceError):
        read_indicators(tmp_path / "absent.csv")


# ---- the outcomes table


def test_the_outcomes_table_reads_as_a_needs_assessment(
    tmp_path: Path, authorities: dict[str, str], shelf: Shelf
) -> None:
    rows = counts_of(authorities, {HALTON: 2000})
    rows += [row.replace(",2023,", ",2022,") for row in counts_of(authorities)]
    table = outcomes(compare_indicators(read_indicators(write(tmp_path, rows)), shelf, ["Halton"]))
    assert list(table.columns) == list(OUTCOMES)
    assert len(table) == 1, "the latest year"
    row = table.iloc[0]
    assert row.period == "2023"
    assert row["value"].endswith("%")
    assert row.interval.startswith("95% interval ")
    assert row.england == "20.0%"
    assert row.how.startswith(
        "Significantly worse than the England average. Significantly worse than the North West average."
    )
    assert row.benchmark == "England"
    assert row.people.endswith("more than at the level of England")
    assert "Wilson" in row.method


def test_every_sentence_is_of_the_vocabulary(whole: Path, shelf: Shelf) -> None:
    table = compare_indicators(read_indicators(whole), shelf)
    assert set(table.verdict) <= set(VERDICTS)
    said = " ".join(outcomes(table).how)
    assert "worse than" not in said.replace("Significantly worse than", "")
    assert "better than" not in said.replace("Significantly better than", "")


def test_sex_and_age_make_series_of_their_own(tmp_path: Path, shelf: Shelf) -> None:
    head = HEAD + ",sex,age_from,age_to"
    rows = [
        f"a,none,proportion,{code},{name},2023,{n},100,{sex},65,"
        for code, name in ((HALTON, "Halton"), (SEFTON, "Sefton"))
        for n, sex in ((10, "female"), (20, "male"))
    ]
    table = compare_indicators(read_indicators(write(tmp_path, rows, head)), shelf, ["Halton"])
    assert set(zip(table.sex, table.age_band, table["value"], strict=True)) == {
        ("female", "65+", 0.1),
        ("male", "65+", 0.2),
    }
    assert set(outcomes(table).indicator) == {"a, female, 65+", "a, male, 65+"}


def test_an_area_in_no_lookup_keeps_its_value(tmp_path: Path, shelf: Shelf) -> None:
    rows = ["a,none,proportion,N01,Northmere,2023,10,100"]
    table = compare_indicators(read_indicators(write(tmp_path, rows)), shelf)
    assert list(table.verdict) == ["not_comparable"]
    assert outcomes(table).iloc[0].how == "Not statistically comparable."
    assert outcomes(table).iloc[0]["value"] == "10.0%"


def test_needs_stand_in_the_same_table(shelf: Shelf) -> None:
    row = {
        "need": "dementia", "area_code": HALTON, "area_name": "Halton", "year": 2020, "quantity": "coverage",
        "estimate": 0.71, "lower": 0.5, "upper": 1.0, "comparator": "england", "comparator_name": "England",
        "comparator_value": 0.65, "people": 75.0, "n": 1400.0, "period": "known 2020-03-31", "unit": "proportion",
        "verdict": "ns_higher", "sentence": "Higher than England, but not statistically significantly",
        "method": "paired draws", "level": 0.95, "flags": "W131",
    }  # fmt: skip
    found = outcomes(pd.DataFrame([row])).iloc[0]
    assert found.indicator == "Dementia: share of the estimate known to services"
    assert found.people == ""
    assert found.how == "Higher than England, but not statistically significantly."
    assert outcomes(pd.DataFrame([row]).iloc[:0]).empty


@pytest.mark.parametrize(
    ("value", "lower", "upper", "printed_value"),
    [(0.71, 0.5, 1.0, "71.0%"), (0.00784, 0.00737, 0.00833, "0.784%"), (0.5, 0.5, 0.5, "50.0%")],
)
def test_as_many_decimals_as_the_interval_supports(
    value: float, lower: float, upper: float, printed_value: str
) -> None:
    row = {
        "need": "dementia", "area_code": HALTON, "area_name": "Halton", "year": 2020, "quantity": "coverage",
        "estimate": value, "lower": lower, "upper": upper, "comparator": "england", "comparator_name": "England",
        "comparator_value": value, "people": 75.0, "n": 1400.0, "period": "2020", "unit": "proportion", "verdict": "ns_higher",
        "sentence": "Higher", "method": "paired draws", "level": 0.95, "flags": "",
    }  # fmt: skip
    found = outcomes(pd.DataFrame([row]), {"dementia": "Dementia at 65 and over"}).iloc[0]
    assert found["value"] == found["england"] == printed_value
    assert found.indicator.startswith("Dementia at 65 and over: ")


def test_values_are_printed_in_their_unit() -> None:
    assert printed(0.1234, "proportion") == "12.3%"
    assert printed(1234.5, "people") == "1,234"
    assert printed(12.34, "per 100,000") == "12.3 per 100,000"
    assert printed(None, "people") == printed(float("nan"), "people") == ""


# ---- what `hna compare` does


def test_a_file_becomes_two_tables(whole: Path, tmp_path: Path) -> None:
    table = compare(whole, ["Halton", "Sefton"])
    files = write_comparisons(table, tmp_path / "out")
    assert [file.name for file in files] == ["comparisons.csv", "outcomes.csv"]
    back = pd.read_csv(files[0])
    assert list(back.columns) == list(COLUMNS)
    assert back["value"].to_numpy() == pytest.approx(table["value"].to_numpy(float), rel=1e-15)
    assert back["members"].tolist() == table["members"].tolist()
    assert len(pd.read_csv(files[1])) == 2
    first = [file.read_bytes() for file in files]
    assert [
        file.read_bytes() for file in write_comparisons(compare(whole, ["Halton", "Sefton"]), tmp_path / "out")
    ] == first
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["comparisons.csv", "outcomes.csv"]
    said = list(sentences(table))
    assert len(said) == 2
    assert said[0].startswith("smoking at delivery, Halton, 2023: ")


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    rows = [f'"=HYPERLINK(""x"")",none,proportion,{HALTON},Halton,2023,10,100']
    write_comparisons(compare(write(tmp_path, rows)), tmp_path / "out")
    for name in ("comparisons.csv", "outcomes.csv"):
        assert "\n=" not in (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "'=HYPERLINK" in (tmp_path / "out" / name).read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_refused(whole: Path) -> None:
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_comparisons(compare(whole, ["Halton"]), whole)
    with pytest.raises(QuantityError, match="comparators are unknown"):
        compare(whole, against=["wales"])  # type: ignore[list-item]
