"""Every source and every model that is shipped, one by one."""

import re
from collections import defaultdict

import numpy as np
import pytest

from hna.answers.need import need
from hna.errors import AxisError, ModelError
from hna.evidence.known import read_known
from hna.evidence.population import areas_and_years, read_population
from hna.evidence.prevalence import read_prevalence
from hna.evidence.shelf import FOLDERS, Shelf, table_file
from hna.evidence.source import (
    AreasSource,
    CompositionSource,
    KnownSource,
    PopulationSource,
    PrevalenceSource,
    fingerprint,
)
from hna.evidence.tables import tiling_fault
from hna.model.rates import make_rates
from hna.model.spec import read_model
from hna.run import Request, assess

SHELF = Shelf()
MODELS = sorted(SHELF.models())
SOURCES = {kind: sorted(SHELF.folders(kind)) for kind in FOLDERS}
EVERY = [pytest.param(kind, name, id=name) for kind, names in SOURCES.items() for name in names]
DOI = re.compile(r"^10\.\d{4,9}/\S+$")
ADDRESS = re.compile(r"^https?://[\w.-]+\.\w+(/\S*)?$")
DRAWS = 500
GROUPED = [name for name in MODELS if read_model(SHELF.model_file(name)).population]
EVERYBODYS = [name for name in MODELS if name not in GROUPED]


@pytest.fixture(scope="module")
def rates_of():
    made = {}

    def make(name):
        if name not in made:
            made[name] = make_rates(read_model(SHELF.model_file(name)), SHELF, DRAWS, 1)
        return made[name]

    return make


def test_there_is_something_on_the_shelf():
    assert len(EVERYBODYS) >= 30
    assert len(SOURCES[PrevalenceSource]) >= 40
    # Crosswalks, surveys and measures of areas are an analyst's own: none is shipped yet.
    assert all(SOURCES[kind] for kind in (AreasSource, CompositionSource, KnownSource, PopulationSource))


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_record_follows_the_schema_and_its_table_has_the_recorded_fingerprint(kind, name):
    record = SHELF.record(kind, name)
    assert record.id == name
    assert record.sha256 == fingerprint(table_file(SHELF.folder(kind, name)))
    assert record.citation.licence
    assert record.words.endswith(".")


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_citation_can_be_followed(kind, name):
    cited = SHELF.record(kind, name).citation
    assert cited.doi or cited.url or cited.container
    assert cited.doi is None or DOI.match(cited.doi)
    assert cited.url is None or ADDRESS.match(cited.url)


@pytest.mark.parametrize("name", SOURCES[PrevalenceSource])
def test_every_prevalence_is_a_proportion_within_its_limits(name):
    table = read_prevalence(SHELF, name)
    assert ((table.estimate >= 0) & (table.estimate <= 1)).all()
    with np.errstate(invalid="ignore"):
        assert not (table.lower > table.estimate + 1e-9).any()
        assert not (table.upper < table.estimate - 1e-9).any()
        assert not (table.cases > table.sample).any()
    strata = table.source.severity.strata if table.source.severity else []
    assert set(table.severity.tolist()) <= {"", *strata}


@pytest.mark.parametrize("name", SOURCES[PrevalenceSource])
def test_bands_have_neither_gap_nor_overlap(name):
    table = read_prevalence(SHELF, name)
    for severity in set(table.severity.tolist()):
        for sex in table.sexes:
            groups = defaultdict(list)
            for n in table.rows(severity, sex):
                groups[tuple(str(labels[n]) for labels in table.split.values())].append(table.bands[n])
            assert {tiling_fault(bands) for bands in groups.values()} <= {""}


@pytest.mark.parametrize("name", SOURCES[PrevalenceSource])
def test_printed_figures_have_no_more_decimals_than_are_declared(name):
    """Rounding error is drawn from the decimals; too few declared and it is too wide, too many and it is left out."""
    source = SHELF.record(PrevalenceSource, name)
    lines = table_file(SHELF.folder(PrevalenceSource, name)).read_text(encoding="utf-8-sig").splitlines()
    header = lines[0].split(",")
    if "estimate" not in header:
        return
    texts = [line.split(",")[header.index("estimate")] for line in lines[1:]]
    most = max((len(text.partition(".")[2]) for text in texts if text), default=0)
    assert most <= source.decimals


@pytest.mark.parametrize("name", SOURCES[PrevalenceSource])
def test_who_was_studied_and_how_far_to_trust_it_is_said(name):
    source = SHELF.record(PrevalenceSource, name)
    assert source.study.design
    assert source.study.geography
    assert source.appraisal.overall
    assert source.appraisal.notes
    assert source.applicability, "judge population, setting, time, definition and service, 1 to 5, each with its reason"


def _said_of():
    said = defaultdict(set)
    for kind, names in SOURCES.items():
        for name in names:
            cited = SHELF.record(kind, name).citation
            if cited.doi:
                said[cited.doi.casefold()].add((cited.title, cited.year, cited.container))
    return said


@pytest.mark.parametrize(("doi", "said"), sorted(_said_of().items()))
def test_one_doi_has_one_title_year_and_journal(doi, said):
    assert len(said) == 1, said


def test_one_title_has_one_doi():
    found = defaultdict(set)
    for name in SOURCES[PrevalenceSource]:
        cited = SHELF.record(PrevalenceSource, name).citation
        found[cited.title.casefold()].add(cited.doi)
    assert {title: dois for title, dois in found.items() if len(dois) > 1} == {}


def _used():
    used = set()
    for name in MODELS:
        model = read_model(SHELF.model_file(name))
        used |= {source.source for source in model.prevalence.named} | {model.prevalence.severity}
        used |= {source.pattern.source for source in model.prevalence.named if source.pattern}
        used |= {step.source for step in model.local}
        used |= set((model.prevalence.trend.sources if model.prevalence.trend else None) or ())
    return used


@pytest.mark.parametrize("name", SOURCES[PrevalenceSource])
def test_every_prevalence_is_used_by_a_model_or_says_why_not(name):
    source = SHELF.record(PrevalenceSource, name)
    if name in _used():
        assert source.unused is None, "a model uses it"
    else:
        assert source.unused, "no model uses it, and nothing says why"
        assert len(source.unused) > 20


@pytest.mark.parametrize("name", sorted(_used() - {None}))
def test_evidence_that_a_model_rests_on_can_be_dated(name):
    """By its fieldwork, or by its publication less the usual lag."""
    record = SHELF.record(PrevalenceSource, name)
    assert record.study.fieldwork or record.citation.year


@pytest.mark.parametrize("name", SOURCES[KnownSource])
def test_counts_are_people_or_said_not_to_be_and_hidden_cells_are_ranges(name):
    held = read_known(SHELF, name)
    assert (held.lower <= held.upper).all()
    assert (held.lower >= 0).all()
    shown = ~np.isnan(held.count)
    assert shown.any()
    assert ((held.count[shown] >= held.lower[shown]) & (held.count[shown] <= held.upper[shown])).all()
    assert (~shown).any() <= bool(held.source.disclosure and held.source.disclosure.range)


@pytest.mark.parametrize("name", SOURCES[PopulationSource])
def test_a_population_has_england_and_every_authority_adds_up_to_it(name):
    gazetteer, years = areas_and_years(SHELF, name)
    authorities = [area.code for area in gazetteer.areas if area.code[:3] in ("E06", "E07", "E08", "E09")]
    england = read_population(SHELF, name, ["E92000001"], years[-1:])
    rest = read_population(SHELF, name, authorities, years[-1:])
    total = rest.people.sum(axis=0)
    # Projections are rounded apart: a person an area and band at most.
    slack = 0 if england.source.basis == "estimate" else len(authorities)
    assert np.abs(total - england.people[0]).max() <= slack
    assert (rest.people >= 0).all()


@pytest.mark.parametrize("name", SOURCES[AreasSource])
def test_a_lookup_is_read(name):
    assert SHELF.record(AreasSource, name).kind == "areas"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_what_its_numbers_cannot_bear(name):
    model = read_model(SHELF.model_file(name))
    assert model.limits
    assert len(model.limits) > 60
    assert model.known or model.missing_core_data, "no count known to services, and nothing says what is missing"
    for missing in model.missing_core_data:
        assert missing.why
        assert missing.effect


@pytest.mark.parametrize("name", MODELS)
def test_every_error_and_judgement_of_a_model_has_its_reason(name):
    model = read_model(SHELF.model_file(name))
    errors = model.prevalence.errors
    assert errors.because, "error terms are the defaults"
    assert None not in (errors.study, errors.transport, errors.staleness)
    for use in model.known:
        if use.factors is not None:
            assert len(use.factors.because) > 20


@pytest.mark.parametrize("name", MODELS)
def test_the_mean_of_a_models_draws_is_its_published_rate(name, rates_of):
    rates = rates_of(name)
    drawn = rates.draws.transpose(..., "draw").values
    headline = rates.headline.values
    error = 4 * drawn.std(axis=-1) / np.sqrt(DRAWS)
    np.testing.assert_array_less(
        np.abs(drawn.mean(axis=-1) - headline), np.maximum(error, 0.005 * headline) + 1e-15
    )  # fmt: skip
    assert ((drawn >= 0) & (drawn < 1)).all()


@pytest.mark.parametrize("name", EVERYBODYS)
def test_need_in_halton_lies_around_its_headline(name, rates_of):
    found = need(rates_of(name), read_population(SHELF, "ons-mye-2023", ["Halton"]))
    point = found.headline.item()
    drawn = found.draws.values.ravel()
    assert 0 < point < 129_587
    # Years since fieldwork and the place are added here, after the rate was checked.
    assert abs(drawn.mean() / point - 1) < max(0.01, 4 * drawn.std() / point / np.sqrt(DRAWS))
    table = found.interval().iloc[0]
    assert table.lower < point < table.upper


@pytest.mark.parametrize("name", GROUPED)
def test_a_need_of_a_group_waits_for_a_count_of_it_and_says_so(name, rates_of):
    """A rate of people in prison says nothing of everybody: without their number there is no estimate."""
    model = read_model(SHELF.model_file(name))
    assert any(model.group.split()[0] in record.item.casefold() or "by authority" in record.item
               for record in model.missing_core_data)  # fmt: skip
    with pytest.raises(AxisError, match="R522"):
        need(rates_of(name), read_population(SHELF, "ons-mye-2023", ["Halton"]), by=["area", "year", "severity"])
    with pytest.raises(ModelError, match=re.escape(f"group: {model.group}")):
        assess(Request(needs=(name,), areas=("Halton",), draws=40))


def test_sources_of_one_survey_share_its_error():
    """Fieldwork of one survey, in two needs, errs alike: the models name the survey."""
    surveys = defaultdict(set)
    for name in MODELS:
        for used in read_model(SHELF.model_file(name)).prevalence.named:
            surveys[used.study or used.source].add(used.source)
    shared = {survey: sources for survey, sources in surveys.items() if len(sources) > 1}
    assert {"cfas-ii", "mhcyp-2017", "apms-2023", "hse-2022"} <= set(shared)
    for sources in shared.values():
        assert len({tuple(SHELF.record(PrevalenceSource, one).study.fieldwork or ()) for one in sources}) == 1


@pytest.mark.parametrize("name", EVERYBODYS)
def test_every_model_runs_for_halton(name):
    (found,) = assess(Request(needs=(name,), areas=("Halton",), draws=40)).answers
    quantities = set(found.figures.quantity)
    assert {"need", "prevalence", "population"} <= quantities
    model = found.model
    assert ("known" in quantities) == bool(model.known)
    assert ("gap" in quantities) == any(not use.apart for use in model.known)
    assert found.refusals == ()
    assert all(found.figures.lower.dropna() <= found.figures.upper.dropna())
