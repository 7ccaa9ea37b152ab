"""Law 5. Never build the cube you do not need."""

import tracemalloc
from types import GeneratorType

import pytest

from hna.answers.need import blocks, need
from hna.evidence.population import read_population
from hna.model.rates import make_rates
from hna.run import Request, assess

DRAWS = 1000


@pytest.fixture
def wide(small):
    areas = {f"A{n:02}": f"Area {n}" for n in range(40)}
    bands = [(0, 64), *((age, age) for age in range(65, 90)), (90, None)]
    small.population("wide", rows=small.people_rows(areas, (2024, 2030, 2035), bands, size=90_000))
    rates = make_rates(small.model(prevalence=_spread()), small.shelf, DRAWS, 1)
    return rates, read_population(small.shelf, "wide")


def _spread():
    errors = {"study": 0.1, "transport": 0.1, "staleness": 0.01, "because": "so that no block can be reused"}
    return {"sources": ["own-study"], "errors": errors}


def test_need_of_many_areas_takes_a_small_part_of_the_cube(wide):
    rates, people = wide
    cells = people.people.size
    cube = cells * DRAWS * 8
    tracemalloc.start()
    found = need(rates, people)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.draws.shape == (40, 3, DRAWS)
    assert cube > 45_000_000
    assert peak < cube / 6


def test_blocks_come_one_at_a_time(wide):
    rates, people = wide
    stream = blocks(rates, people)
    assert isinstance(stream, GeneratorType)
    first = next(stream)
    assert first.draws.shape == (1, 2, 2, DRAWS)  # the rates' own bands, not the population's
    assert (first.area.code, first.year) == ("A00", 2024)


@pytest.mark.parametrize("keep", [False, True])
def test_a_run_keeps_draws_only_when_asked_to(small, keep):
    (found,) = assess(Request(workspace=small.root, draws=50, keep_draws=keep)).answers
    assert bool(found.draws) == keep
