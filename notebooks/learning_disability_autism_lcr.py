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
# # Learning disability and autism in the Liverpool City Region
#
# Children and adults in the six authorities of the city region: how many have a learning disability, how many are autistic, how many are
# on the general practice register, how the authorities compare, and what cannot be said. Every number is made by `hna` from published
# figures. This notebook only asks: it holds no arithmetic of its own, and it can be read without Python.
#
# A person may have a learning disability and be autistic, and children become adults: the four needs are never added up. Authorities may
# be: the city region is their sum, made on the same draws, so its interval is not the sum of theirs.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.shown import (
    figures_of,
    labelled,
    show_across,
    show_assessment,
    show_gather,
    show_lines,
    show_need,
    show_together,
)
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
AREAS = ("Halton", "Knowsley", "Liverpool", "Sefton", "St. Helens", "Wirral")
CHILDREN = ("learning-disability", "autism")
ADULTS = ("learning-disability-adults", "autism-adults")

# %% [markdown]
# ## How many people, by authority

# %%
report = hna.run([*CHILDREN, *ADULTS], AREAS, draws=DRAWS, out=OUT)
answers = {found.model.need: found for found in report.answers}
titles = {need: found.model.title for need, found in answers.items()}
whole = "severity == '' and sex == 'persons' and age_band == 'all'"
show_across(
    figures_of(answers.values(), f"{whole} and quantity == 'need' and year == 2023"),
    "People estimated in each authority, mid-2023",
    {"area_name": "Authority"},
    "need",
    titles,
)

# %% [markdown]
# ## The city region as a whole

# %%
people = hna.population("ons-mye-2023", areas=AREAS)
totals = {
    need: hna.need(hna.rates(found.model, draws=DRAWS), people, by=["area", "year"]) for need, found in answers.items()
}
region = {need: found.sum("area").interval() for need, found in totals.items()}
show_across(labelled(region, "need"), "People estimated in the Liverpool City Region", {"year": "Date"}, "need", titles)

# %% [markdown]
# ## How many are known, and the gap
#
# General practice keeps a register of people with a learning disability, all ages together. What share of it is of children, and of
# adults, is bounded, and the bounds are carried to the end. No register of autism is published by authority, so no gap is stated for it.

# %%
wanted = f"{whole} and quantity in ['need', 'known', 'gap', 'coverage'] and year == 2020"
columns = {"need": "Estimated", "known": "Known to general practice", "gap": "Gap", "coverage": "Share known"}
show_across(
    answers["learning-disability"].figures.query(wanted),
    "Children with a learning disability at the date of the register",
    {"area_name": "Authority"},
    "quantity",
    columns,
)

# %%
show_across(
    answers["learning-disability-adults"].figures.query(wanted),
    "Adults with a learning disability at the date of the register",
    {"area_name": "Authority"},
    "quantity",
    columns,
)

# %% [markdown]
# The gap of the six authorities together, draw by draw:

# %%
then = hna.population("ons-mye-2020", areas=AREAS)
register = hna.known("qof-learning-disability-2019-20", areas=AREAS)
gaps = {
    need: hna.gap(hna.need(hna.rates(answers[need].model, draws=DRAWS), then, by=["area", "year"]), register)
    for need in ("learning-disability", "learning-disability-adults")
}
titles_of_gaps = {need: titles[need] for need in gaps}
together = {need: gap.net.sum("area").interval() for need, gap in gaps.items()}
show_across(labelled(together, "need"), "Gap in the Liverpool City Region", {"year": "Date"}, "need", titles_of_gaps)

# %% [markdown]
# Whether estimate and count are of the same people, and what was allowed for in the register:

# %%
show_need(report, "learning-disability", "compared")

# %%
show_need(report, "learning-disability-adults", "compared")

# %% [markdown]
# The two rest on different studies. That more children than adults seem to be known, or fewer, says as much of the studies as of the
# services.

# %% [markdown]
# ### Autism: referrals are not people with autism
#
# Referrals for suspected autism are counted for some of the six. They are listed beside the estimate and no gap is formed, for the reason
# that the ledger gives.

# %%
show_need(report, "autism", "compared")

# %% [markdown]
# ## How the authorities compare
#
# The share known in each authority, beside the North West, England and its statistical neighbours.

# %%
show_need(report, "learning-disability-adults", "beside")

# %% [markdown]
# ## Children
#
# Who is counted, by age and sex.

# %%
show_need(report, "learning-disability", "who", only=("sentences", "charts"))

# %%
show_need(report, "autism", "who", only=("sentences", "charts"))

# %% [markdown]
# ### Autism: two sources, two scenarios
#
# A survey and the records of schools disagree, and neither is thrown away: the estimate stands between the lowest and the highest.

# %%
show_need(report, "autism", "evidence", "assumptions")

# %% [markdown]
# ## Adults

# %%
show_need(report, "learning-disability-adults", "who", only=("sentences", "charts"))

# %%
show_need(report, "autism-adults", "findings", only="sentences")

# %% [markdown]
# ## Children and adults must not be read as one line
#
# The estimates of children and of adults come from different studies with different definitions: a step from 17 to 18 would be a step from
# one study to another.

# %%
show_lines((titles[need], found.rates.universe.case_definition) for need, found in answers.items())

# %% [markdown]
# ## The years ahead, if today's shares continue

# %%
show_across(
    figures_of(answers.values(), f"{whole} and quantity == 'need' and area_name == 'Liverpool'"),
    "People estimated in Liverpool",
    {"year": "Date"},
    "need",
    titles,
    note="The other authorities are in the report beside this page.",
)

# %% [markdown]
# ## How sure
#
# The interval of adults with a learning disability is wide because what is disputed is wide: registers hold a quarter of the estimate, and
# nobody knows how many adults with a mild learning disability there are. Each step adds what it does not know.

# %%
show_need(report, "learning-disability-adults", "sure", "assumptions")

# %% [markdown]
# ## What is missing, and what the numbers cannot bear

# %%
show_together(
    *(part for need in answers for part in (show_lines([titles[need]]), show_need(report, need, "missing", "limits")))
)

# %% [markdown]
# ## What guidance there is

# %%
show_together(*(part for need in answers for part in (show_lines([titles[need]]), show_need(report, need, "practice"))))

# %% [markdown]
# ## One authority as an assessment
#
# Halton's children in the chapters of its framework of 2014: the chapter on disability, what the three approaches say, and what stands
# where data are missing. No corporate evidence has been given, and none has been made up.

# %%
assessment = assess_area("Halton", needs=CHILDREN, draws=DRAWS, words=finding_words)
show_assessment(assessment, "emergence", "triangulation", "voices", "counts", "missing")

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
