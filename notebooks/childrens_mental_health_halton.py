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
# survey of 2004 to its children. This notebook does so for the children of mid-2023, sets the survey of 2017 beside it, says what is and
# is not known to services, and puts the needs in order. Every number is made by `hna` from published figures; this notebook only asks.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
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
# Children aged 5 to 16, by type. Types overlap: one child may have two, so they are never added up.

# %%
report = hna.run(NEEDS, "Halton", draws=DRAWS, out=OUT)
answers = {found.model.need: found for found in report.answers}
figures = answers["child-mental-disorder"].figures
whole = "quantity == 'need' and sex == 'persons' and age_band == 'all' and year == 2023"
figures.query(whole)[["severity", "estimate", "lower", "upper"]]

# %% [markdown]
# ## The study switch
#
# The survey of 2017 gives any disorder at ages 5 to 15, in boys and girls, without types. The same children of Halton, the other study:
# the rates first, then how many children. The ages end a year earlier than in the table above, so the difference of the two totals is not
# all change. Surveys since 2020 screen by another method, and are not set beside these.

# %%
model = hna.load_model("child-mental-disorder")
later = model.model_copy(update={"ages": "5-15"}).with_sources("sadler-2018-mental-disorder")
rates = {"2004": hna.rates(model, draws=DRAWS), "2017": hna.rates(later, draws=DRAWS)}
for survey, found in rates.items():
    table = found.interval()
    print(survey, table[["sex", "age", "estimate", "lower", "upper"]].drop_duplicates().head(4).to_string(index=False))

# %%
children = hna.population("ons-mye-2023", areas=["Halton"])
hna.need(rates["2017"], children, by=["area", "year", "sex"]).interval()

# %% [markdown]
# Which studies the other needs rest on, when the fieldwork was done, and how far each may be biased.

# %%
for need, found in answers.items():
    for source in found.citations:
        study = getattr(source, "study", None)
        if study is not None:
            print(
                f"{need}: {source.citation.short}, fieldwork {study.fieldwork}, {source.appraisal.overall} risk of bias"
            )

# %% [markdown]
# ## Who
#
# Boys and girls, and ages, by the survey of 2004.

# %%
who = "quantity == 'need' and severity == '' and year == 2023 and (sex != 'persons' or age_band != 'all')"
figures.query(who)[["sex", "age_band", "estimate", "lower", "upper"]]

# %% [markdown]
# ## What is known to services
#
# Nothing that counts the same children. These records stand where the numbers would.

# %%
for need, found in answers.items():
    for missing in found.model.missing_core_data:
        print(f"- {need}. {missing.item}: {missing.effect}")

# %% [markdown]
# ## Beside other places
#
# The same rates are applied everywhere, so an expected prevalence that differs says only that the ages of the children differ. It is
# shown and never tested.

# %%
assessment = assess_area("Halton", needs=NEEDS, draws=DRAWS, words=finding_words)
table = assessment.comparisons["child-mental-disorder"].table
table[["quantity", "estimate", "comparator_name", "comparator_value", "verdict", "sentence"]]

# %% [markdown]
# ## What the three approaches say
#
# Only the estimates speak. No corporate evidence has been given to this notebook, and none has been made up. With a file of what young
# people, parents, schools and services say, the level of each need may rise from one approach to two.

# %%
{need: (verdict.level, [pair.code for pair in verdict.pairs]) for need, verdict in assessment.verdicts.items()}

# %% [markdown]
# ## Priorities
#
# No weights have been agreed, so every weighting is drawn alike. `chance` is how often a need stands among the first; a priority is
# robust only if it does so in four draws of five.

# %%
priorities = assessment.priorities
[(need, round(priorities.chance(need), 2), priorities.standing[need]) for need in priorities.order]

# %%
[(entry.when, entry.who, entry.what) for entry in priorities.trail]

# %% [markdown]
# ## How this differs from what Halton published in 2014
#
# The chapters, the wording of comparisons and the neighbours are Halton's. The numbers are not the same, because the children counted
# are those of a later year; because a headline here is rounded only when it is printed; and because Halton applied the rate of ages 5 to
# 16 to its children of 0 to 15, while here a rate is never carried outside the ages of its study.

# %%
assessment.framework.words

# %% [markdown]
# ## The site

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
