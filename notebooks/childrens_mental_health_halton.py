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
# # Children's mental health in Halton
#
# An in-depth look at mental disorder in children and young people. Halton's needs assessment of 2014 applied the rates of the national
# survey of 2004 to its children. This notebook does so for the children of mid-2023, sets the survey of 2017 in its place, says how many
# children each tier of service was once thought to be for, what is and is not known to services, how Halton stands beside its neighbours,
# and puts the needs in order. Every number is made by `hna` from published figures. This notebook only asks: it holds no arithmetic of its
# own, and it can be read without Python.

# %%
import os
from pathlib import Path

import hna
from hna.answers.indicator_file import compare_indicators
from hna.answers.known_indicator import known_indicator
from hna.assessment.assess import assess_area
from hna.evidence.shelf import Shelf, shipped
from hna.publish.shown import labelled, show_across, show_assessment, show_gather, show_lines, show_need, show_table
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
OWN = shipped().joinpath("notebooks", "halton")
NEEDS = (
    "child-mental-disorder",
    "emotional-disorder",
    "behavioural-disorder",
    "preschool-mental-disorder",
    "child-eating-disorder",
    "childhood-ocd",
    "youth-self-harm",
)

# %% [markdown]
# ## Any disorder, by the survey of 2004
#
# Children aged 5 to 16. Types overlap: one child may have two, so they are never added up.

# %%
report = hna.run(NEEDS, "Halton", draws=DRAWS, out=OUT)
answers = {found.model.need: found for found in report.answers}
titles = {need: found.model.title for need, found in answers.items()}
show_need(report, "child-mental-disorder", "findings", "severity", "who")

# %% [markdown]
# ## The study switch: 2004 or 2017
#
# The survey of 2017 gives any disorder at ages 5 to 15, in boys and girls, without types. The same children of Halton, the other study.
# The first table shows the rates as they were found; the second applies each to the children of the ages that its study covers, so the
# survey of 2004 counts one year of age more. Surveys since 2020 screen by another method, and are not set beside these: a step from one
# method to another is not change.

# %%
model = answers["child-mental-disorder"].model
switched = model.model_copy(update={"ages": "5-15"}).with_sources("sadler-2018-mental-disorder")
studies = {"2004": hna.rates(model, draws=DRAWS), "2017": hna.rates(switched, draws=DRAWS)}
show_table(
    labelled({survey: rates.interval() for survey, rates in studies.items()}, "survey").query(
        "severity in ['', 'any']"
    ),
    "Children with any disorder, as each survey found",
    {"survey": "Survey", "sex": "Sex", "age": "Ages", "estimate": "Share"},
    heads=3,
    unit="proportion",
)

# %%
children = hna.population("ons-mye-2023", areas=["Halton"])
counted = {
    survey: hna.need(rates, children, by=["area", "year", "severity"]).interval() for survey, rates in studies.items()
}
show_across(
    labelled(counted, "survey").query("severity in ['', 'any']"),
    "Children of Halton with any disorder, by each survey",
    {"year": "Date"},
    "survey",
    {"2004": "Survey of 2004, ages 5 to 16", "2017": "Survey of 2017, ages 5 to 15"},
)

# %% [markdown]
# ## How many children each tier of service was thought to be for
#
# Assessments of the 2010s, and some today, use planners' figures of 1996: how many children may need a response at each of four tiers, from
# general practice and schools (tier 1) to inpatient care (tier 4). They rest on no study, so the range is a judgement, and the tiers
# overlap: they are never added up, and they are no estimate of how many children are unwell.

# %%
tiers = hna.run("child-mental-health-tiers", "Halton", draws=DRAWS, out=OUT.joinpath("tiers"), workspace=OWN)
tier = tiers.answers[0]
show_table(
    tier.figures.query("quantity == 'need' and sex == 'persons' and age_band == 'all' and year == 2023"),
    "Children of Halton who may need a response, by tier, mid-2023",
    {"severity": "Tier", "estimate": "Children under 18"},
    note="Kurtz 1996; read in a table of another public body.",
)

# %%
show_need(tiers, "child-mental-health-tiers", "limits", "evidence")

# %% [markdown]
# ## The other needs, and the studies they rest on

# %%
whole = "quantity == 'need' and sex == 'persons' and age_band == 'all' and year == 2023 and severity == ''"
others = {need: found.figures.query(whole) for need, found in answers.items() if need != "child-mental-disorder"}
show_across(
    labelled(others, "named"), "Children of Halton with each need, mid-2023", {"year": "Date"}, "named",
    {need: titles[need] for need in others},
    note="Each is of the ages of its own study. They overlap, and are never added up.",
)  # fmt: skip

# %%
show_need(report, "emotional-disorder", "evidence")

# %%
show_need(report, "behavioural-disorder", "evidence")

# %% [markdown]
# ## What is known to services
#
# Nothing that counts the same children. These records stand where the numbers would, and no gap is stated.

# %%
show_need(report, "child-mental-disorder", "missing")

# %% [markdown]
# ## Beside other places
#
# The same rates are applied everywhere, so an expected prevalence that differs says only that the ages of the children differ: it is shown
# and never tested.

# %%
assessment = assess_area("Halton", needs=NEEDS, draws=DRAWS, words=finding_words)
show_assessment(assessment, "outcomes")

# %% [markdown]
# What can be tested is what is counted. Children looked after have far more mental disorder than others, and how many there are is known
# exactly. Beside Halton's eleven neighbours of 2014, itself among them, by Halton's rules: the average is of all their children together,
# never of their rates, and Halton is taken out of it for the test.

# %%
looked_after = known_indicator(hna.known("dfe-looked-after-children-2025"), hna.population("ons-mye-2023"), "0-17")
beside = compare_indicators(looked_after, Shelf(), ["Halton"], group="halton-2014-neighbours")
show_table(
    beside.rename(columns={"lower": "own_lower", "upper": "own_upper", "value": "own"}).rename(
        columns={"comparator_value": "estimate", "comparator_lower": "lower", "comparator_upper": "upper"}
    ),
    "Children looked after on 31 March 2025 as a share of children under 18 (mid-2023): Halton's is first, the comparator's second",
    {"comparator_name": "Compared with", "own": "Halton", "estimate": "Comparator", "sentence": "How Halton is doing"},
    unit="proportion",
)

# %% [markdown]
# Rates of admission to hospital for mental health are published for these neighbours without the counts behind them. By Halton's rule no
# average of neighbours is made from rates alone (R863), and `hna` refuses to make one.

# %% [markdown]
# ## Corporate evidence: what people say

# %%
show_assessment(assessment, "voices")

# %% [markdown]
# With a file of what young people, parents, schools and services say, the level of each need may rise from one approach to two. Its form
# is in `data/corporate/example`.

# %% [markdown]
# ## What the three approaches say

# %%
show_assessment(assessment, "emergence", "triangulation")

# %% [markdown]
# ## Priorities
#
# No weights have been agreed, so every weighting is drawn alike. A priority is robust only if it stands among the first in four draws of
# five.

# %%
show_assessment(assessment, "priorities", "trail")

# %% [markdown]
# ## How sure, and what the numbers cannot bear

# %%
show_need(report, "child-mental-disorder", "sure", "assumptions", "limits", "practice")

# %% [markdown]
# ## How this differs from what Halton published
#
# The notebook *Halton's method of 2014* works it through.

# %%
show_lines([("The framework", assessment.framework.words)])

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
