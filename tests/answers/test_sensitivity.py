"""Sensitivity: shares of functions known in closed form, and the methods' own example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from hna.answers.sensitivity import COLUMNS, GROUPS, Sensitivity, sensitivity, sentence
from hna.answers.sobol import sobol
from hna.errors import AxisError, QuantityError
from hna.evidence.known import read_known
from hna.evidence.population import Population, read_population
from hna.evidence.shelf import Shelf
from hna.measure.draws import normal, uniform
from hna.model.rates import Rates, make_rates
from hna.model.spec import Model, read_model

HALTON = "E06000006"
SIZE = 20_000


def inputs(names: str, size: int = SIZE) -> dict[tuple[str, str], np.ndarray]:
    found = {(name, sample): normal(7, f"{name}:{sample}", size) for name in names for sample in ("first", "second")}
    return found | {(name, "still"): np.zeros(size) for name in names}


# ---- closed forms


def test_a_sum_is_divided_by_its_variances() -> None:
    z = inputs("abc")
    found = sobol(lambda c: 3 * z["a", c["a"]] + 2 * z["b", c["b"]] + z["c", c["c"]], "abc")
    assert list(found.first.values()) == pytest.approx([9 / 14, 4 / 14, 1 / 14], abs=0.01)
    assert list(found.total.values()) == pytest.approx([9 / 14, 4 / 14, 1 / 14], abs=0.01)
    assert found.variance == pytest.approx(14, rel=0.01)


def test_what_acts_only_together_has_no_first_order_share() -> None:
    z = inputs("ab")
    found = sobol(lambda c: z["a", c["a"]] * z["b", c["b"]], "ab")
    assert list(found.first.values()) == pytest.approx([0, 0], abs=0.02)
    assert list(found.total.values()) == pytest.approx([1, 1], abs=0.05)


def test_ishigami() -> None:
    """Ishigami and Homma 1990, doi 10.1109/ISUMA.1990.151285: first order 0.3139, 0.4424, 0; total 0.5576, 0.4424, 0.2437."""
    x = {
        (name, sample): np.pi * (2 * uniform(3, f"{name}:{sample}", SIZE) - 1)
        for name in "abc"
        for sample in ("first", "second")
    }

    def value(c: Mapping[str, str]) -> np.ndarray:
        a, b, d = (x[name, c[name]] for name in "abc")
        return np.asarray(np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * d**4 * np.sin(a))

    found = sobol(value, "abc")
    assert list(found.first.values()) == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert list(found.total.values()) == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)


def test_groups_may_be_split_or_joined() -> None:
    z = inputs("abc")
    split = sobol(lambda c: z["a", c["a"]] + 2 * z["b", c["b"]] + z["c", c["c"]], "abc")
    joined = sobol(lambda c: z["a", c["ab"]] + 2 * z["b", c["ab"]] + z["c", c["c"]], ["ab", "c"])
    assert joined.total["ab"] == pytest.approx(split.total["a"] + split.total["b"], abs=0.02)


def test_nothing_uncertain_has_no_shares() -> None:
    found = sobol(lambda _: np.ones(10), ["a"])
    assert (found.first["a"], found.total["a"], found.variance) == (0, 0, 0)
    assert sentence(found.total) == "No part of the interval is uncertain"


def test_missing_values_are_refused() -> None:
    for wrong in (np.full(5, np.nan), np.ones((2, 2)), np.ones(1)):
        with pytest.raises(QuantityError, match="cannot be divided"):
            sobol(lambda _, held=wrong: held, ["a"])  # type: ignore[misc]


# ---- of needs


def with_errors(model: Model, **errors: float) -> Model:
    changed = model.prevalence.model_dump() | {"errors": {"because": "the methods' example", **errors}}
    return Model.model_validate(model.model_dump() | {"prevalence": changed})


def made(draws: int = 1000, need: str = "dementia", **errors: float) -> Rates:
    shelf = Shelf()
    model = read_model(shelf.model_file(need))
    return make_rates(with_errors(model, **errors) if errors else model, shelf, draws, 1)


def district() -> Population:
    """A district of 35,000 people of 65 and over, divided as England was in 2011 (methods §11.3, V1)."""
    people = np.array([2_508_154, 2_044_129, 1_669_345, 1_258_773, 776_311, 403_817])
    male = np.array([0.486, 0.475, 0.457, 0.420, 0.366, 0.275])
    rates = made(50)
    cells = np.stack([people * (1 - male), people * male])
    base = read_population(Shelf(), "ons-mye-2020", [HALTON])
    return replace(
        base, sexes=("female", "male"), ages=rates.ages, people=(cells * 35_000 / people.sum())[None, None],
    )  # fmt: skip


@pytest.fixture(scope="module")
def example() -> Sensitivity:
    rates = made(5000, study=0.15, transport=0.10, staleness=0.0)
    return sensitivity(rates, Shelf(), district(), HALTON, 2020, population_error=0.017, realised=True)


def test_the_methods_example_is_reproduced(example: Sensitivity) -> None:
    """Methods §1.4: N = 2,271 (1,634 to 3,100); study 62 %, area 27 %, sampling 8 %, population 1 %, realisation 1 %."""
    assert example.estimate == pytest.approx(2271, rel=0.005)
    assert example.lower == pytest.approx(1634, rel=0.03)
    assert example.upper == pytest.approx(3100, rel=0.03)
    printed = {"study": 0.62, "transport": 0.27, "sampling": 0.08, "population": 0.01, "realised": 0.01}
    shares = dict(zip(example.table.group, example.table.share, strict=True))
    assert list(shares)[:3] == ["study", "transport", "sampling"]
    assert shares == pytest.approx(printed, abs=0.03)
    assert sum(shares.values()) == pytest.approx(1)
    assert 1 - shares["sampling"] > 0.9, "a sampling-only interval would leave out over nine tenths of the variance"
    assert example.sentence.startswith(f"{round(100 * shares['study'])} % of the interval is the study, ")
    assert f"{round(100 * shares['transport'])} % this place" in example.sentence


def test_the_table_has_one_row_a_group(example: Sensitivity) -> None:
    assert list(example.table.columns) == list(COLUMNS)
    assert (example.table["total"] >= example.table["first"] - 0.05).all()
    widths = example.table.upper - example.table.lower
    assert widths.is_monotonic_decreasing, "what has the largest share is widest alone"
    assert (example.table.lower < example.estimate).all()
    assert (example.table.upper > example.estimate).all()
    assert example.elasticity == 1.0


def test_the_first_sample_is_the_draws_of_need() -> None:
    rates = made(300)
    people = read_population(Shelf(), "ons-mye-2020", [HALTON])
    found = sensitivity(rates, Shelf(), people, HALTON, 2020, realised=False)
    banded = people.on(rates.sexes, rates.ages).people[0, 0]
    need = np.tensordot(banded, rates.at(HALTON, 2020)[0], axes=2)
    assert [found.lower, found.upper] == pytest.approx(np.quantile(need, [0.025, 0.975]), rel=1e-9)
    assert found.estimate == pytest.approx(float((banded * rates.mean()[0]).sum()))


def test_gap_and_coverage_take_in_the_count() -> None:
    shelf, rates = Shelf(), made(600)
    people = read_population(shelf, "ons-mye-2020", [HALTON])
    counts = read_known(shelf, "qof-dementia-2019-20", [HALTON])
    use = rates.model.known[0]
    gap = sensitivity(rates, shelf, people, HALTON, 2020, known=counts, use=use, quantity="gap")
    assert "known" in set(gap.table.group)
    assert gap.elasticity is not None
    assert gap.elasticity > 1
    cover = sensitivity(rates, shelf, people, HALTON, 2020, known=counts, use=use, quantity="coverage")
    assert cover.elasticity == -1
    need = sensitivity(rates, shelf, people, HALTON, 2020, known=counts, use=use)
    assert "known" not in set(need.table.group)
    assert gap.estimate == pytest.approx(need.estimate * (1 - cover.estimate))
    with pytest.raises(QuantityError, match="gap needs people known"):
        sensitivity(rates, shelf, people, HALTON, 2020, quantity="gap")


def test_alternatives_are_a_group_of_their_own(small) -> None:
    shares = []
    for other, scale in (("alike", 1.0), ("lower", 0.4)):
        small.prevalence(other, rows=small.rates_rows(scale=scale))
        sources = [{"source": name, "study": "one-survey"} for name in ("own-study", other)]
        model = small.model(prevalence={"sources": sources, "combine": "mixture", "errors": small.exact})
        people = read_population(small.shelf, "own-people", ["N01"])
        found = sensitivity(make_rates(model, small.shelf, 2000, 1), small.shelf, people, "N01", 2024)
        shares.append(dict(zip(found.table.group, found.table.share, strict=True))["source"])
    assert shares[0] < 0.5 < 0.8 < shares[1], "sources that agree, and sources that do not"


def test_one_more_error_is_one_more_share() -> None:
    people = district()
    few = sensitivity(made(600, study=0.15, transport=0.0, staleness=0.0), Shelf(), people, HALTON, 2020)
    more = sensitivity(made(600, study=0.15, transport=0.3, staleness=0.0), Shelf(), people, HALTON, 2020)
    assert set(more.table.group) - set(few.table.group) == {"transport"}
    assert more.table.group[0] == "transport"
    assert more.upper - more.lower > few.upper - few.lower
    assert set(more.table.group) <= set(GROUPS)


def test_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(AxisError, match="is not in"):
        sensitivity(made(50), Shelf(), read_population(Shelf(), "ons-mye-2020", [HALTON]), "E06000001", 2020)


def test_the_sentence_leaves_out_what_rounds_to_nothing() -> None:
    said = sentence({"study": 0.62, "sampling": 0.08, "transport": 0.297, "realised": 0.003})
    assert said == "62 % of the interval is the study, 30 % this place, 8 % sampling error of the study"
