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
# # Speech, language and communication needs in Halton
#
# An in-depth look at one need in one place: how many children start school with a language disorder, what is known of them, and what
# cannot be said. Every number is made by `hna` from published figures; this notebook only asks. A reader without Python can follow the
# text and the tables.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))

# %% [markdown]
# ## Who counts as having the need
#
# One study examined children at school entry in one English county. The table says who was examined, when, how many took part, and
# how far the study may be biased.

# %%
report = hna.run("speech-language", "Halton", draws=DRAWS, out=OUT)
answer = report.answers[0]
model = answer.model
print(answer.rates.universe.case_definition)
[source.words for source in answer.citations]

# %% [markdown]
# ## How many children
#
# The rate is applied to the children of these ages who live in Halton, in the latest estimate of the population and in the years that
# the projection holds. `lower` and `upper` are the limits of the interval.

# %%
figures = answer.figures
whole = "quantity == 'need' and sex == 'persons' and age_band == 'all'"
figures.query(whole)[["severity", "year", "estimate", "lower", "upper"]]

# %% [markdown]
# ## How sure
#
# Each step adds what it does not know. The study was done in one county that is better off than most, so the difference of this place
# from that one is a large part of the width.

# %%
[(step.what, round(step.estimate), round(step.lower), round(step.upper)) for step in answer.waterfall]

# %% [markdown]
# ## What is known
#
# Services keep lists of children in speech and language therapy, but no list is published by authority and condition. So no gap is
# stated, and this is what stands in its place.

# %%
for missing in model.missing_core_data:
    print(f"- {missing.item}. {missing.why} {missing.effect}")

# %% [markdown]
# Education, health and care plans are counted, for every kind of need together. They are shown in their chapter as a count, without an
# estimate beside it: a plan is a decision of a council, not a diagnosis.

# %%
needs = ("speech-language", "learning-disability", "autism", "adhd")
assessment = assess_area("Halton", needs=needs, draws=DRAWS, words=finding_words)
for chapter in assessment.chapters:
    for count in chapter.counts:
        print(f"{chapter.spec.title}: {count.source.condition}, {count.source.reference_date}: {count.people:,.0f}")

# %% [markdown]
# ## What the three approaches say
#
# The estimate is the only approach that speaks. There is nothing local to compare, and no corporate evidence has been given: an
# assessment of this need waits for what parents, schools and therapists say. `hna` reads it from a file like the one in
# `data/corporate/example`.

# %%
verdict = assessment.verdicts["speech-language"]
print(verdict.level, assessment.triangulation.levels[verdict.level])
[(pair.first, pair.second, pair.code) for pair in verdict.pairs]

# %% [markdown]
# ## What the numbers cannot bear, and what guidance there is

# %%
print(model.limits)
for practice in model.best_practice:
    print(f"- {practice.body}, {practice.ref} ({practice.year}): {practice.title}")

# %% [markdown]
# ## The site
#
# The same, as pages with the chapter, the register of missing data and the review calendar.

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
