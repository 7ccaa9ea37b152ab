# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Alcohol and drugs in Halton and Sefton
#
# How many adults depend on alcohol, by severity; how many people use opiates or crack; how many children live with a dependent drinker;
# how many should be in treatment by where the line is drawn; and why no share in treatment is stated. Every number is made by `hna` from
# published figures. This notebook only asks: it holds no arithmetic of its own, and it can be read without Python.

# %%
import os
from pathlib import Path

import hna
from hna.answers.thresholds import by_threshold
from hna.assessment.assess import assess_area
from hna.evidence.shelf import Shelf
from hna.evidence.source import KnownSource, PrevalenceSource
from hna.publish.shown import (
    figures_of,
    show_across,
    show_assessment,
    show_gather,
    show_lines,
    show_need,
    show_table,
    show_together,
)
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
OWN = os.environ.get("HNA_NOTEBOOK_WORKSPACE")
NEEDS = ("alcohol-dependence", "opiate-crack-use", "problem-gambling", "children-of-dependent-drinkers")

# %% [markdown]
# ## How many people
#
# Needs are never added up: many people who use opiates also depend on alcohol.

# %%
report = hna.run(NEEDS, ["Halton", "Sefton"], draws=DRAWS, out=OUT)
answers = {found.model.need: found for found in report.answers}
whole = "quantity == 'need' and age_band == 'all' and sex == 'persons' and severity == '' and year == 2023"
show_across(
    figures_of(answers.values(), whole), "People estimated, mid-2023", {"area_name": "Authority"}, "need",
    {need: found.model.title for need, found in answers.items()},
)  # fmt: skip

# %% [markdown]
# None of these studies asked a sample of Halton or Sefton: one national rate stands for every authority. Authorities differ several times
# over in both alcohol dependence and drug use, so the intervals are wide, and the estimates that are made for authorities should take
# their place.

# %% [markdown]
# ## Severity
#
# Mild, moderate and severe dependence on alcohol, by the national split of 2014. Where a source prints no strata, none are made up.

# %%
show_need(report, "alcohol-dependence", "severity")

# %% [markdown]
# ## Treatment, by where the line is drawn
#
# Who should be in treatment depends on where the line is drawn: severe dependence only, or everybody who is dependent. The number of
# people moves several times over with the line, and the share in treatment moves with it, though nobody more or fewer is treated.

# %%
alcohol = answers["alcohol-dependence"].model
people = hna.population("ons-mye-2023", areas=["Halton", "Sefton"])
need = hna.need(hna.rates(alcohol, draws=DRAWS), people, by=["area", "year", "severity"])
treated = (
    hna.known("alcohol-treatment", workspace=OWN)
    if OWN and Path(OWN, "data/known/alcohol-treatment").is_dir()
    else None
)
names = {area.code: area.name for area in people.areas}
show_across(
    by_threshold(need, ["mild", "moderate", "severe"], treated)
    .assign(column=lambda found: found["area"].map(names))
    .query("quantity == 'need'"),
    "People at or above each line, mid-2023",
    {"threshold": "Line"},
    "column",
    {"Halton": "Halton", "Sefton": "Sefton"},
)

# %% [markdown]
# The share in treatment at each line:

# %%
coverage = by_threshold(need, ["mild", "moderate", "severe"], treated).query("quantity == 'coverage'")
show_table(
    coverage.assign(name=coverage["area"].map(names)),
    "Share of people at or above each line who are in treatment",
    {"threshold": "Line", "name": "Authority", "estimate": "Share treated"},
    heads=2,
)

# %% [markdown]
# Where that says *nothing*, no count was to hand. Numbers in treatment are published by authority, and were not to be had when this was
# compiled. Put them in `data/known/alcohol-treatment` of a workspace, name it in `HNA_NOTEBOOK_WORKSPACE`, and the table fills.

# %%
show_together(*(
    part for name, found in answers.items()
    for part in (show_lines([found.model.title]), show_need(report, name, "missing"))
))  # fmt: skip

# %% [markdown]
# ## The multiplier
#
# Where nobody can be sampled, everybody can be found from two numbers: how many people a service counts, and what share of everybody that
# service reaches. A thousand people treated, of whom a survey says that they are half of all, are two thousand. `hna` does it in a model
# file (`combine: multiplier`), with the share's uncertainty carried on, and refuses where count and share are not of the same people.
#
# It needs a count and a share. These are the shares and the counts of alcohol or drugs on the shelf:

# %%
shelf = Shelf(Path(OWN) if OWN else None)
words = ("alcohol", "opiate", "crack", "drug")
sources = [shelf.record(PrevalenceSource, name) for name in shelf.folders(PrevalenceSource)]
shares = [
    one for one in sources if one.measure == "proportion-of-cases" and any(word in one.condition for word in words)
]
counts = [shelf.record(KnownSource, name) for name in shelf.folders(KnownSource)]
show_lines([
    ("Shares of all who are known to a service", "; ".join(one.words for one in shares if one.severity is None) or "none is on the shelf"),
    ("Counts of people treated", "; ".join(one.words for one in counts if "treatment" in one.service.lower()) or "none is on the shelf"),
])  # fmt: skip

# %% [markdown]
# So no multiplier is run, and none is made up. The estimate of opiate and crack use that is shipped was found by another way to count those
# whom nobody sees, from lists of people that overlap.

# %%
show_need(report, "opiate-crack-use", "evidence", "assumptions")

# %% [markdown]
# ## How sure
#
# What each step does to the interval.

# %%
show_need(report, "alcohol-dependence", "sure", "assumptions", "evidence")

# %% [markdown]
# ## Children who live with a dependent drinker

# %%
show_need(report, "children-of-dependent-drinkers", "findings", "limits")

# %% [markdown]
# ## Among the needs of adults
#
# Where these stand among the adult needs that are shipped, when every weighting of the criteria is drawn alike.

# %%
adults = (
    "alcohol-dependence",
    "opiate-crack-use",
    "problem-gambling",
    "common-mental-disorder",
    "personality-disorder",
    "loneliness",
)
assessment = assess_area("Halton", "adults", needs=adults, draws=DRAWS, words=finding_words)
show_assessment(assessment, "priorities", "emergence")

# %% [markdown]
# ## What the numbers cannot bear

# %%
show_together(*(
    part for name, found in answers.items()
    for part in (show_lines([found.model.title]), show_need(report, name, "limits", "practice"))
))  # fmt: skip

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
