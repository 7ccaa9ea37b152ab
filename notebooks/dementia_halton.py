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
# An in-depth look at one need in one place. Every number is made by `hna` from published figures. This notebook only asks: it holds no
# arithmetic of its own, and it can be read without Python.

# %%
import os

import hna
from hna.publish.shown import show_gather, show_need, show_table

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
show_table(
    rates.interval().query("severity == ''"), "Share of people with dementia, as CFAS II found",
    {"sex": "Sex", "age": "Ages", "estimate": "Share"}, heads=2, unit="proportion",
)  # fmt: skip

# %% [markdown]
# ## How many people, how many are known, and the gap
#
# Rates by age and sex are applied to the residents of Halton in mid-2020, the year of the latest register by authority. The register of
# general practices is apportioned to where patients live.

# %%
population = hna.population("ons-mye-2020", areas=["Halton"])
register = hna.known("qof-dementia-2019-20", areas=["Halton"])
need = hna.need(rates, population, by=["area", "year"])
gap = hna.gap(need, register)
named = {
    "need": "Estimated", "known": "Known to general practice", "gap": "Gap", "coverage": "Share known",
    "p_known_exceeds_need": "Chance that more are known than estimated", "gap_positive": "Gap, groups with one only",
    "target_shortfall": "Short of the ambition",
}  # fmt: skip
show_table(
    gap.interval(), "By the survey of 2008 to 2011 (CFAS II)", {"quantity": "What", "estimate": "Number"}, words=named
)

# %% [markdown]
# Whether estimate and count are of the same people: what was compared, and how differences were bridged.

# %%
show_table(
    gap.ledger, "The ledger",
    {"item": "What must be the same", "need_side": "Estimate", "known_side": "Count", "verdict": "Verdict", "how": "How"},
)  # fmt: skip

# %% [markdown]
# ## The study switch
#
# The same people, the same register, the other study. In April 2015 England changed from the older rates to CFAS II; nobody was newly
# diagnosed, yet the diagnosis rate rose. The difference between these two tables is that change.

# %%
older = model.with_sources("dementia-uk-2007")
older_need = hna.need(hna.rates(older, draws=DRAWS, seed=SEED), population, by=["area", "year"])
older_gap = hna.gap(older_need, register)
show_table(
    older_gap.interval(),
    "By the consensus of 2007 (Dementia UK)",
    {"quantity": "What", "estimate": "Number"},
    words=named,
)

# %% [markdown]
# ## Who, and the years ahead
#
# Most are women of 80 and over. If today's age-specific rates continue, the number grows because more people reach the ages at which
# dementia is common. The projection is of people, not a forecast of dementia: rates at each age fell between 1991 and 2011.

# %%
report = hna.run("dementia", "Halton", draws=DRAWS, seed=SEED, out=os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
show_need(report, "dementia", "findings", "who", "when")

# %% [markdown]
# ## What the estimate rests on, and what cannot be said

# %%
show_need(report, "dementia", "sure", "assumptions", "evidence", "missing", "limits")

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)
