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
# and why no share in treatment is stated. Every number is made by `hna` from published figures; this notebook only asks.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
NEEDS = ("alcohol-dependence", "opiate-crack-use", "problem-gambling", "children-of-dependent-drinkers")

# %% [markdown]
# ## How many people
#
# Needs must not be added up: many people who use opiates also depend on alcohol.

# %%
report = hna.run(NEEDS, ["Halton", "Sefton"], draws=DRAWS, out=OUT)
answers = {found.model.need: found for found in report.answers}
whole = "quantity == 'need' and age_band == 'all' and sex == 'persons' and year == 2023"
for found in answers.values():
    print(
        found.figures.query(whole)[["need", "severity", "area_name", "estimate", "lower", "upper"]].to_string(
            index=False
        )
    )

# %% [markdown]
# ## What counts, and how it was found
#
# None of these studies asked a sample of this place: a national rate is applied to the people who live here. Authorities differ several
# times over in both alcohol dependence and drug use, so the intervals are wide, and estimates made for authorities should take their place.

# %%
for need, found in answers.items():
    print(f"{need}: {found.rates.universe.case_definition}")
    for source in found.citations:
        if getattr(source, "study", None) is not None:
            print(f"    {source.words}")

# %% [markdown]
# ## Severity
#
# Who should be in treatment depends on where the line is drawn. These are the strata that the sources give; where a source prints none,
# none is made up.

# %%
{need: list(found.rates.severities) for need, found in answers.items()}

# %% [markdown]
# ## Why no coverage of treatment is stated
#
# Numbers in treatment are published by authority, and were not to hand when this was compiled. A share in treatment by threshold of
# severity waits for them.

# %%
for need, found in answers.items():
    for missing in found.model.missing_core_data:
        print(f"- {need}. {missing.item}. {missing.why} {missing.effect}")

# %% [markdown]
# ## What each step does to the interval

# %%
for need, found in answers.items():
    for step in found.waterfall:
        print(f"{need}: {step.what}: {step.lower:,.0f} to {step.upper:,.0f}")

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
priorities = assessment.priorities
[(need, round(priorities.chance(need), 2), priorities.standing[need]) for need in priorities.order]

# %% [markdown]
# ## What the numbers cannot bear

# %%
for found in answers.values():
    print(f"{found.model.title}: {found.model.limits}")

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
