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
# An in-depth look at one need in one place: how many people, how many are known, whether the ambition for diagnosis is met, how Sefton
# stands beside other places, the years ahead, and what would change the answer. Every number is made by `hna` from published figures;
# this notebook only asks.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))

# %% [markdown]
# ## How many people, and how many are known
#
# The estimate for the year of the register, the register apportioned to where patients live, and the gap. `p_known_exceeds_need` is the
# chance that more people are known than the estimate says there are; `target_shortfall` is how many more would have to be known for the
# ambition to be met.

# %%
report = hna.run("dementia", "Sefton", draws=DRAWS, out=OUT)
answer = report.answers[0]
model = answer.model
figures = answer.figures
whole = "severity == '' and sex == 'persons' and age_band == 'all'"
figures.query(f"{whole} and year == 2020")[["quantity", "estimate", "lower", "upper", "probability", "unit"]]

# %%
print(model.target.source)

# %% [markdown]
# ## Whether estimate and count are of the same people

# %%
for ledger in answer.ledgers:
    for entry in ledger.entries:
        print(f"{entry.item}: {entry.verdict}. {entry.how}")

# %% [markdown]
# ## By severity, and by age and sex

# %%
strata = "quantity == 'need' and severity != '' and sex == 'persons' and age_band == 'all' and year == 2023"
figures.query(strata)[["severity", "estimate", "lower", "upper"]]

# %%
figures.query("quantity == 'need' and severity == '' and year == 2023")[
    ["sex", "age_band", "estimate", "lower", "upper"]
]

# %% [markdown]
# ## Beside other places
#
# The share of people in need who are known, beside the region, England and statistical neighbours, on the draws that they share. Where
# the difference is not significant the sentence says so. Expected prevalence is shown and never tested.

# %%
assessment = assess_area("Sefton", "older-people", draws=DRAWS, words=finding_words)
table = assessment.comparisons["dementia"].table
table[["quantity", "estimate", "comparator_name", "comparator_value", "p_higher", "sentence"]]

# %% [markdown]
# ## The years ahead
#
# If today's age-specific rates continue. This follows from more people reaching the ages at which dementia is common. It is not a
# forecast of dementia.

# %%
figures.query(f"{whole} and quantity == 'need'")[["year", "estimate", "lower", "upper", "flags"]]

# %% [markdown]
# ## What would change the answer
#
# First the study: an older consensus of experts in place of the survey. Then what each step adds to the interval. Then the leverage: by
# how many per cent the gap moves for one per cent of error in the estimate.

# %%
people = hna.population("ons-mye-2020", areas=["Sefton"])
older = hna.need(hna.rates(model.with_sources("dementia-uk-2007"), draws=DRAWS), people, by=["area", "year"])
hna.gap(older, hna.known("qof-dementia-2019-20", areas=["Sefton"])).interval()

# %%
for step in answer.waterfall:
    print(f"{step.what}: {step.lower:,.0f} to {step.upper:,.0f}")
answer.leverages

# %% [markdown]
# ## What the three approaches say
#
# The estimate and the comparison rest on the same study and the same register, so they count as one source. No corporate evidence has
# been given, and none has been made up.

# %%
verdict = assessment.verdicts["dementia"]
print(verdict.level, assessment.triangulation.levels[verdict.level])
[(pair.first, pair.second, pair.code, pair.shared) for pair in verdict.pairs]

# %% [markdown]
# ## What this assessment holds, and what it lacks
#
# An in-depth assessment asks for more than there is: what is missing is listed, with what cannot be said without it. Small areas and
# deprivation within Sefton are not shown: the rates are applied by age and sex alone, so a map of them would show only where older people
# live.

# %%
held = assessment.held["dementia"]
print("Deepest kind whose contents are all here:", held.reached)
{assessment.kinds.contents[name]: there for name, there in held.has.items()}

# %%
for missing in model.missing_core_data:
    print(f"- {missing.item}: {missing.effect}")
print(model.limits)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
