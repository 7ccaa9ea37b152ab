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
# # Dementia in Sefton
#
# An in-depth look at one need in one place: how many people, how many are known, whether the ambition for diagnosis is met, where in
# Sefton they live and how deprived those areas are, the years ahead, and what would change the answer. Every number is made by `hna` from
# published figures. This notebook only asks: it holds no arithmetic of its own, and it can be read without Python.

# %%
import os
from pathlib import Path

import hna
from hna.answers.within import need_within
from hna.assessment.assess import assess_area
from hna.evidence.shelf import shipped
from hna.publish.shown import show_across, show_assessment, show_gather, show_lines, show_need, show_table
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
SMALL_AREAS = shipped().joinpath("notebooks", "sefton")

# %% [markdown]
# ## How many people, and how many are known
#
# Research found how common dementia is at each age in women and in men; those shares are applied to the people who live in Sefton. General
# practices keep a register. The gap is the one less the other, and its interval says how sure that is.

# %%
report = hna.run("dementia", "Sefton", draws=DRAWS, out=OUT)
answer = report.answers[0]
show_need(report, "dementia", "findings")

# %% [markdown]
# ### Whether estimate and count are of the same people
#
# The two may be set against each other only if they speak of the same condition, ages, place and time. What differed, and how it was
# bridged:

# %%
show_need(report, "dementia", "compared")

# %% [markdown]
# ## Coverage against the ambition
#
# England's ambition is that two in three people of 65 and over with dementia have a diagnosis on record. *Short of the ambition* is how
# many more people would have to be known for Sefton to meet it; where its interval reaches below nought, Sefton may already meet it. The
# chance is that it falls short.

# %%
whole = "severity == '' and sex == 'persons' and age_band == 'all' and year == 2020"
ambition = answer.figures.query(f"{whole} and quantity in ['need', 'known', 'coverage', 'gap', 'target_shortfall']")
show_table(
    ambition,
    "Dementia in Sefton at the date of the register",
    {"quantity": "What", "estimate": "Number", "probability": "Chance that it is above nought"},
    words={
        "need": "Estimated", "known": "Known to general practice", "gap": "Gap", "coverage": "Share known",
        "target_shortfall": "Short of the ambition",
    },
    note=answer.model.target.source,
)  # fmt: skip

# %% [markdown]
# ## By severity, and by age and sex

# %%
show_need(report, "dementia", "severity", "who")

# %% [markdown]
# ## Where in Sefton, and how deprived
#
# The people of Sefton's small areas are counted for mid-2020. The same rates by age and sex are applied in each, so what follows says
# where people live who are old enough to have dementia. It is what would be expected of people of these ages, not what was found there:
# it must not be read as a map of where dementia is more common than expected, and deprivation itself changes nothing in it.
#
# First by national fifths of deprivation: all of Sefton's small areas that are among the most deprived fifth of England, then the next.

# %%
inside = need_within(
    hna.rates("dementia", draws=DRAWS), "Sefton", persons="ons-lsoa-2020-sefton", workspace=SMALL_AREAS
)
everybody = "severity == '' and sex == 'persons' and age_band == 'all'"
show_across(
    inside.query(f"{everybody} and kind != 'small-area'"),
    "Sefton's people of 65 and over by how deprived their area is, mid-2020",
    {"area_name": "Where"},
    "quantity",
    {"population": "People of 65 and over", "need": "Expected with dementia", "prevalence": "Expected share"},
    note="Fifths of England's small areas by the Index of Multiple Deprivation 2019.",
)

# %% [markdown]
# The expected share differs between the fifths only because some have more people in their eighties and nineties.
#
# The ten small areas where the most people are expected. A few large care homes can put a small area here: the rates are of everybody,
# at home and in homes together.

# %%
show_table(
    inside.query(f"{everybody} and quantity == 'need' and kind == 'small-area'").nlargest(10, "estimate"),
    "Small areas of Sefton with the most people expected to have dementia",
    {"area_name": "Small area", "estimate": "Expected with dementia"},
    note="Names of 2011. Intervals of places so small are mostly chance.",
)

# %% [markdown]
# ## Beside other places
#
# The share of people in need who are known, beside the region, England and statistical neighbours, on the draws that they share. Where
# the difference is not significant the sentence says so. Expected prevalence is shown and never tested.

# %%
show_need(report, "dementia", "beside")

# %% [markdown]
# ## The years ahead
#
# If today's shares at each age continue. The number grows because more people reach the ages at which dementia is common. It is not a
# forecast: between 1991 and 2011 the shares at each age fell.

# %%
show_need(report, "dementia", "when")

# %% [markdown]
# ## What would change the answer
#
# Four things, in turn. *Another study:* the older consensus of experts that England used before 2015, with the same people and the same
# register. Nobody was newly diagnosed when England changed, yet the share known rose.

# %%
people = hna.population("ons-mye-2020", areas=["Sefton"])
register = hna.known("qof-dementia-2019-20", areas=["Sefton"])
survey = hna.gap(hna.need(hna.rates(answer.model, draws=DRAWS), people, by=["area", "year"]), register)
older_model = answer.model.with_sources("dementia-uk-2007")
older = hna.gap(hna.need(hna.rates(older_model, draws=DRAWS), people, by=["area", "year"]), register)
named = {
    "need": "Estimated", "known": "Known to general practice", "gap": "Gap", "coverage": "Share known",
    "p_known_exceeds_need": "Chance that more are known than estimated", "gap_positive": "Gap, groups with one only",
    "target_shortfall": "Short of the ambition",
}  # fmt: skip
show_table(
    survey.interval(),
    "By the survey of 2008 to 2011 (CFAS II)",
    {"quantity": "What", "estimate": "Number"},
    words=named,
)

# %%
show_table(
    older.interval(), "By the consensus of 2007 (Dementia UK)", {"quantity": "What", "estimate": "Number"}, words=named
)

# %% [markdown]
# *How far the study may mislead, how old it is, and how far Sefton may differ from where it was done:* each step widens the interval.
# *The leverage:* by how many per cent the gap moves for an error of one per cent in the estimate. *What is allowed for in the register:*
# people under 65, and people on it without dementia.

# %%
show_need(report, "dementia", "sure", "assumptions")

# %% [markdown]
# ## What the three approaches say
#
# The estimate and the comparison rest on the same study and the same register, so they count as one source. No corporate evidence has
# been given, and none has been made up: a file of what people with dementia, carers, practices and care homes say would change this
# section, and may change the level.

# %%
assessment = assess_area("Sefton", "older-people", draws=DRAWS, words=finding_words)
show_assessment(assessment, "pairs", "findings", "voices", need="dementia")

# %%
verdict = assessment.verdicts["dementia"]
show_lines([(verdict.level, assessment.triangulation.levels[verdict.level])])

# %% [markdown]
# ## Priorities among the needs of older people

# %%
show_assessment(assessment, "priorities")

# %% [markdown]
# ## What this assessment holds, and what it lacks
#
# An in-depth assessment asks for more than there is. What is missing is listed with what cannot be said without it.

# %%
held = assessment.held["dementia"]
show_lines([
    ("Deepest kind of assessment whose contents are all here", held.reached or "none"),
    *((assessment.kinds.contents[name], "yes" if there else "no") for name, there in held.has.items()),
])  # fmt: skip

# %%
show_need(report, "dementia", "missing", "limits", "practice")

# %% [markdown]
# ## The evidence

# %%
show_need(report, "dementia", "evidence")

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
