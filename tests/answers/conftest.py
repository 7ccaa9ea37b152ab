"""Rates on the shelf, and small areas made up to carry them to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hna.evidence.layouts import import_file
from hna.evidence.population import Population
from hna.evidence.shelf import Shelf
from hna.evidence.source import PopulationSource
from hna.measure.ages import AgeAxis, AgeBand
from hna.measure.areas import Area
from hna.model.rates import Rates, make_rates
from hna.model.spec import read_model

SINGLE = AgeAxis((*(AgeBand(age, age) for age in range(90)), AgeBand(90, None)))


@pytest.fixture(scope="session")
def rates_for(shipped_shelf: Shelf) -> Callable[..., Rates]:
    """Rates of a shipped model as published, some of its errors changed; made-up areas have no people by deprivation."""

    def make(name: str, draws: int = 400, **errors: float) -> Rates:
        model = read_model(shipped_shelf.model_file(name)).model_copy(update={"local": []})
        if errors:
            held = model.prevalence.errors.model_copy(update={**errors, "because": "to see one thing"})
            model = model.model_copy(update={"prevalence": model.prevalence.model_copy(update={"errors": held})})
        return make_rates(model, shipped_shelf, draws=draws, seed=5)

    return make


@pytest.fixture(scope="session")
def dementia(rates_for: Callable[..., Rates]) -> Rates:
    """Rates with transport error, staleness and strata."""
    return rates_for("dementia")


@pytest.fixture(scope="session")
def small_areas() -> Callable[..., Population]:
    """People by sex and single year of age in made-up areas, about `size` in each."""

    def make(areas: int, size: float = 1700, years: tuple[int, ...] = (2023, 2035)) -> Population:
        generator = np.random.default_rng(7)
        people = generator.poisson(size / 182 * np.linspace(1.4, 0.6, 91), (areas, len(years), 2, 91)).astype(float)
        record = PopulationSource.model_construct(id="made-up", base="resident", basis="estimate")
        named = tuple(Area(f"L{n:05}", f"Area {n}") for n in range(areas))
        return Population((record,), named, years, ("female", "male"), SINGLE, people)

    return make


@pytest.fixture(scope="session")
def halton_small_areas(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the small areas of Halton, as the analyst imports them."""
    folder = tmp_path_factory.mktemp("workspace")
    name = "lsoa11_population_mid2020_persons_syoa_england.csv.gz"
    rows = pd.read_csv(shared / "small_areas" / name, dtype=str)
    file = folder / "persons_mid2020.csv"
    rows[rows["ltla21_code"] == "E06000006"].to_csv(file, index=False)
    import_file("ons-lsoa-syoa", file, folder / "data" / "population" / "halton-2020")
    return folder
