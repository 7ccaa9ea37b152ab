"""Codes of a study's own table and of what is asked of it: raised through a run, and silent where they should be."""

import pytest

from hna.checks import check_shelf
from hna.errors import HnaError
from hna.model.rates import make_rates
from hna.run import Request, assess
from tests.conftest import STUDY

WOMEN = [
    {"sex": "female", "age_from": 65, "age_to": 74, "estimate": 4.0, "lower": 2.9, "upper": 5.5},
    {"sex": "female", "age_from": 75, "age_to": "", "estimate": 9.0, "lower": 7.0, "upper": 11.5},
]
OLDER_MEN = [{"sex": "male", "age_from": 75, "age_to": "", "estimate": 8.0, "lower": 6.0, "upper": 10.6}]


def _run(small, **request):
    return assess(Request(workspace=small.root, draws=100, **request)).answers[0]


@pytest.mark.parametrize(
    ("rows", "ages", "sex", "said"),
    [
        (WOMEN, "65+", "female", "rates are of female only"),
        ([*WOMEN, *OLDER_MEN], "75+", "persons", "male rates are of ages 75+"),
    ],
)
def test_a_sex_that_is_not_there_is_told_unless_the_study_says_why(small, rows, ages, sex, said):
    small.known(rows=small.count_rows({"N01": 300}, low=int(ages[:-1]), sex=sex))
    small.model(ages=ages, sex=sex)
    small.prevalence(rows=rows)
    answer = _run(small)
    assert "W103" in answer.flags
    assert said in answer.rates.parts[0].layers.table.sex_missing
    small.prevalence(rows=rows, study=STUDY | {"exclusions": "men under 75, who were not asked"})
    assert "W103" not in _run(small).flags


def test_both_sexes_in_bands_of_their_own_are_whole(small):
    split = [
        {"sex": "male", "age_from": 65, "age_to": 69, "estimate": 3.0, "lower": 2.1, "upper": 4.3},
        {"sex": "male", "age_from": 70, "age_to": "", "estimate": 8.0, "lower": 6.0, "upper": 10.6},
    ]
    small.prevalence(rows=[*WOMEN, *split])
    assert "W103" not in _run(small).flags


def test_bands_that_overlap_are_refused(small):
    small.prevalence(rows=[{**WOMEN[0], "sex": "persons", "age_to": 79}, {**WOMEN[1], "sex": "persons"}])
    with pytest.raises(HnaError, match="65-79 and 75") as caught:
        make_rates(small.model(), small.shelf, 100, 1)
    assert "W103" in caught.value.codes


@pytest.mark.parametrize("target", [{"coverage": 0.667}, {"coverage": 0.667, "source": " "}])
def test_a_share_that_should_be_known_needs_its_source(small, target):
    with pytest.raises(HnaError, match="needs its source") as caught:
        small.model(target=target)
    assert caught.value.codes == ("R751",)
    assert "target" in str(caught.value)
    assert small.model(target={"coverage": 0.667, "source": "NHS England ambition"}).target.coverage == 0.667


def test_a_share_of_those_in_need_is_no_prevalence(small):
    small.prevalence("share", rows=[{"estimate": 57.0, "lower": 50.0, "upper": 64.0}], measure="proportion-of-cases")
    small.model(prevalence={"sources": ["share"], "errors": small.exact}, ages="0+")
    with pytest.raises(HnaError, match="no prevalence") as caught:
        _run(small)
    assert caught.value.codes == ("R751",)


def test_a_check_warns_of_a_sex_that_is_not_there(small):
    small.prevalence(rows=WOMEN)
    small.model(sex="female")
    assert [warning for warning in check_shelf(small.shelf).warnings if "W103" in warning and "female only" in warning]
    small.prevalence(rows=small.rates_rows())
    assert not [warning for warning in check_shelf(small.shelf).warnings if "W103" in warning]
