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
# on the general practice register, and what cannot be said. Every number is made by `hna` from published figures; this notebook only asks.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
AREAS = ("Halton", "Knowsley", "Liverpool", "Sefton", "St. Helens", "Wirral")
NEEDS = ("learning-disability", "learning-disability-adults", "autism", "autism-adults")

# %% [markdown]
# ## How many people
#
# The latest estimate of the population, by authority. A person may have a learning disability and be autistic, so the needs are never
# added up.

# %%
report = hna.run(NEEDS, AREAS, draws=DRAWS, out=OUT)
answers = {found.model.need: found for found in report.answers}
whole = "quantity == 'need' and severity == '' and sex == 'persons' and age_band == 'all' and year == 2023"
for found in answers.values():
    print(found.model.title)
    print(found.figures.query(whole)[["area_name", "estimate", "lower", "upper"]].to_string(index=False))

# %% [markdown]
# ## How many are known, and the gap
#
# General practice keeps a register of people with a learning disability, all ages together. What share of it is of children, and of
# adults, is bounded, and the bounds are carried to the end. There is no register of autism by authority, so no gap is stated for it.

# %%
gap = "age_band == 'all' and sex == 'persons' and quantity in ['need', 'known', 'gap', 'coverage'] and year == 2020 and severity == ''"
for need in ("learning-disability", "learning-disability-adults"):
    print(answers[need].model.title)
    print(
        answers[need].figures.query(gap)[["area_name", "quantity", "estimate", "lower", "upper"]].to_string(index=False)
    )

# %% [markdown]
# What was allowed for in the register, and why:

# %%
for need in ("learning-disability", "learning-disability-adults"):
    for use in answers[need].model.known:
        print(f"{need}: {use.factors.because}")

# %% [markdown]
# ## Children and adults side by side
#
# The estimates of children and of adults come from different studies with different definitions. Children and adults must not be read as
# one line: a step from 17 to 18 would be a step from one study to another.

# %%
for need, found in answers.items():
    print(f"{need}: {found.rates.universe.words}. {found.rates.universe.case_definition}")

# %% [markdown]
# ## Sources, and how far each may be biased

# %%
for found in answers.values():
    for source in found.citations:
        if getattr(source, "appraisal", None) is not None:
            print(f"{source.words} Risk of bias: {source.appraisal.overall}.")

# %% [markdown]
# ## The years ahead, if today's rates continue

# %%
years = "quantity == 'need' and severity == '' and sex == 'persons' and age_band == 'all' and area_name == 'Liverpool'"
for found in answers.values():
    print(found.figures.query(years)[["need", "year", "estimate", "lower", "upper"]].to_string(index=False))

# %% [markdown]
# ## What is missing

# %%
for need, found in answers.items():
    for missing in found.model.missing_core_data:
        print(f"- {need}. {missing.item}: {missing.effect}")

# %% [markdown]
# ## What the numbers cannot bear

# %%
for found in answers.values():
    print(f"{found.model.title}: {found.model.limits}")

# %% [markdown]
# ## One authority as an assessment
#
# The same for adults in Liverpool: the approaches, the priorities, and what is missing, as pages.

# %%
assessment = assess_area(
    "Liverpool", "adults", needs=("learning-disability-adults", "autism-adults"), draws=DRAWS, words=finding_words
)
{need: (verdict.level, verdict.patterns) for need, verdict in assessment.verdicts.items()}

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
