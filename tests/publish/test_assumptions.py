"""What was assumed is told once, in words, by the numbers of the list of sources."""

import pytest

from hna.model.spec import read_model
from hna.publish.assumptions import assumptions, noted
from hna.publish.facts import facts_of
from hna.run import Request, assess


@pytest.fixture(scope="module")
def report():
    return assess(Request(needs=("dementia", "perinatal-depression"), areas=("Halton",), draws=200))


def _told(report, need):
    (facts,) = [facts_of(found) for found in report.answers if found.model.need == need]
    refs = {source.id: n for n, source in enumerate(report.citations, start=1)}
    (items,) = assumptions(facts, refs)
    return facts, refs, items.items


def test_errors_of_studies_pooled_are_told_once(report):
    facts, refs, items = _told(report, "perinatal-depression")
    errors = [item for item in items if item.term.startswith("Errors beyond sampling")]
    studies = [part.source.id for part in facts.answer.rates.parts]
    assert len(studies) == 3
    assert len({item.text for item in errors}) == len(errors) == 2
    assert all(f"[{refs[name]}]" in item.term for item in errors for name in studies)
    assert any(item.text.startswith("Difference of this place") and "none is added" in item.text for item in errors)


@pytest.mark.parametrize("need", ["dementia", "perinatal-depression"])
def test_no_name_on_the_shelf_stands_in_a_sentence(report, need):
    facts, refs, items = _told(report, need)
    (made,) = [item.text for item in items if item.term == "How the rate was made"]
    assert not [name for name in (*refs, f"pool-{need}") if name in made.lower()]
    assert f"ource [{refs[facts.answer.rates.parts[0].source.id]}]" in made


def test_a_word_with_a_hyphen_is_no_source(report):
    facts, _, _ = _told(report, "dementia")
    assert noted("half-known people", facts, {"known": 1}) == "Half-known people."


def test_the_source_that_divides_cases_is_among_the_sources(report, repository):
    divides = read_model(repository / "models" / "dementia.yaml").prevalence.severity
    assert divides
    facts, refs, _ = _told(report, "dementia")
    assert divides in refs
    assert divides in [source.id for source in facts.prevalences]
