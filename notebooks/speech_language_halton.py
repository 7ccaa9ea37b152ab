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
# An in-depth look at one need in one place: how many children start school with a language disorder, what is known of them, how sure the
# estimate is, and what cannot be said. Every number is made by `hna` from published figures. This notebook only asks: it holds no
# arithmetic of its own, and it can be read without Python.

# %%
import os
from pathlib import Path

import hna
from hna.assessment.assess import assess_area
from hna.publish.shown import show_assessment, show_gather, show_lines, show_need
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))

# %% [markdown]
# ## Who counts as having the need
#
# One study examined children at school entry in one English county. The table says who was examined, when, how many took part, and how
# far the study may be biased. Speech, language and communication needs are wider than this: what is left out stands under the limits.

# %%
report = hna.run("speech-language", "Halton", draws=DRAWS, out=OUT)
show_need(report, "speech-language", "evidence")

# %% [markdown]
# ## How many children

# %%
show_need(report, "speech-language", "findings")

# %% [markdown]
# ### By severity, age and sex

# %%
show_need(report, "speech-language", "severity", "who")

# %% [markdown]
# ### The years ahead, if today's shares continue

# %%
show_need(report, "speech-language", "when")

# %% [markdown]
# ## How sure
#
# Each step adds what it does not know. The study was done in a county that is better off than most, and language at school entry follows
# deprivation, so the difference of this place from that one is a large part of the width.

# %%
show_need(report, "speech-language", "sure", "assumptions")

# %% [markdown]
# ## What is known
#
# Services keep lists of children in speech and language therapy, but no list is published by authority and condition. So no gap is
# stated, and this is what stands in its place.

# %%
show_need(report, "speech-language", "missing")

# %% [markdown]
# Two counts come near and are not the same thing. Education, health and care plans are counted for every kind of need together: a plan is a
# decision of a council, not a diagnosis. They are shown as a count, with no estimate beside them.

# %%
needs = ("speech-language", "learning-disability", "autism", "adhd")
assessment = assess_area("Halton", needs=needs, draws=DRAWS, words=finding_words)
show_assessment(assessment, "counts")

# %% [markdown]
# ## Beside other places
#
# The same share is applied everywhere, so an expected prevalence that differs says only that the ages of the children differ. It is shown
# and never tested.

# %%
show_assessment(assessment, "outcomes", needs=["speech-language"])

# %% [markdown]
# ## What the three approaches say
#
# The estimate is the only approach that speaks. There is nothing local to compare, and no corporate evidence has been given: an
# assessment of this need waits for what parents, schools and therapists say. `hna` reads it from a file like the one in
# `data/corporate/example`.

# %%
show_assessment(assessment, "findings", "pairs", "voices", need="speech-language")

# %%
verdict = assessment.verdicts["speech-language"]
show_lines([(verdict.level, assessment.triangulation.levels[verdict.level])])

# %% [markdown]
# ## Among the needs of children that often come together
#
# One child may have several of these, so they are never added up.

# %%
show_assessment(assessment, "priorities")

# %% [markdown]
# ## What the numbers cannot bear, and what guidance there is

# %%
show_need(report, "speech-language", "limits", "practice")

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
