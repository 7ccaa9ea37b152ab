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
# # Dementia in Halton: how many, how many are known, and what the answer rests on
#
# An in-depth look at one need in one place. Every number below is made by `hna` from published figures; this notebook only asks.
# A reader without Python can follow the text and the tables.

# %%
import os

import hna

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
SEED = 1

# %% [markdown]
# ## The evidence
#
# Two English studies are on the shelf. CFAS II interviewed people in three areas in 2008 to 2011 and gives intervals. Dementia UK
# (2007) is the consensus of experts on older studies and gives points only, so a range has to be judged for it.

# %%
model = hna.load_model("dementia")
rates = hna.rates(model, draws=DRAWS, seed=SEED)
rates.interval().query("severity == ''")

# %% [markdown]
# ## How many people
#
# Rates by age and sex are applied to the residents of Halton in mid-2020, the year of the latest register by authority.

# %%
population = hna.population("ons-mye-2020", areas=["Halton"])
need = hna.need(rates, population, by=["area", "year"])
need.interval()

# %% [markdown]
# ## How many are known, and the gap
#
# The register of general practices is apportioned to where patients live. The ledger shows what was compared and how differences were
# bridged. `p_known_exceeds_need` is the chance that more people are known than the estimate says there are.

# %%
gap = hna.gap(need, hna.known("qof-dementia-2019-20", areas=["Halton"]))
gap.interval()

# %%
gap.ledger[["item", "need_side", "known_side", "verdict", "how"]]

# %% [markdown]
# ## The study switch
#
# The same people, the same register, the other study. In April 2015 England changed from the older rates to CFAS II; nobody was newly
# diagnosed, yet the diagnosis rate rose. The difference between these two tables is that change.

# %%
older = model.with_sources("dementia-uk-2007")
older_need = hna.need(hna.rates(older, draws=DRAWS, seed=SEED), population, by=["area", "year"])
older_gap = hna.gap(older_need, hna.known("qof-dementia-2019-20", areas=["Halton"]))
older_gap.interval()

# %% [markdown]
# ## By age and sex
#
# Who they are: most are women of 80 and over.

# %%
hna.need(rates, population, by=["area", "year", "sex", "age"]).interval()

# %% [markdown]
# ## The years ahead
#
# If today's age-specific rates continue, the number grows because more people reach the ages at which dementia is common. The
# projection is of people, not a forecast of dementia: rates at each age fell between 1991 and 2011.

# %%
report = hna.run("dementia", "Halton", draws=DRAWS, seed=SEED, out=os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
figures = report.answers[0].figures
figures.query("quantity == 'need' and severity == '' and sex == 'persons' and age_band == 'all'")[
    ["year", "estimate", "lower", "upper", "flags"]
]

# %% [markdown]
# ## What the estimate rests on

# %%
[source.words for source in gap.citations]

# %% [markdown]
# ## What cannot be said
#
# The model file states the limits of the estimate and the data that are missing.

# %%
print(model.limits)
for missing in model.missing_core_data:
    print(f"- {missing.item}: {missing.effect}")
