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
# # Halton's method of 2014, worked on today's figures
#
# Halton's needs assessment of 2014 for children set out how to compare, how to word what is found, how to bring three approaches
# together, and how to set it in chapters. This notebook follows it step by step on published figures of today, and says where and why
# the numbers differ from what was printed then. Every number is made by `hna`. This notebook only asks: it holds no arithmetic of its
# own, and it can be read without Python.

# %%
import os
from pathlib import Path

import hna
from hna.answers.indicator_file import compare_indicators
from hna.answers.known_indicator import known_indicator, people_of
from hna.answers.outcomes import outcomes
from hna.assessment.assess import assess_area
from hna.errors import HnaError
from hna.evidence.shelf import Shelf
from hna.indicators.neighbours import neighbour_average
from hna.publish.shown import labelled, show_across, show_assessment, show_gather, show_lines, show_need, show_table
from hna.publish.site import finding_words, write_site

DRAWS = int(os.environ.get("HNA_NOTEBOOK_DRAWS", "5000"))
OUT = Path(os.environ.get("HNA_NOTEBOOK_OUT", "hna-report"))
GROUP = "halton-2014-neighbours"

# %% [markdown]
# ## 1. Neighbours
#
# Halton compared itself with eleven boroughs, **itself among them**. An average is **derived from all their people together**, never the
# mean of their rates. Where one or two have no figure the average is given and said to be **possibly under-calculated**; where three or
# more have none it is **not calculated**; and from rates without counts it is **not possible**.
#
# Children looked after on 31 March 2025, and children in need on the same day, set against the children under 18 of mid-2023. Some
# children in need are not yet born, or are 18 and over and still helped, so their share is a ratio more than a proportion.

# %%
people = hna.population("ons-mye-2023")
looked_after, in_need = hna.known("dfe-looked-after-children-2025"), hna.known("dfe-children-in-need-2025")
care = known_indicator(looked_after, people, "0-17")
need = known_indicator(in_need, people, "0-17")
table = labelled({
    "Looked after": compare_indicators(care, Shelf(), ["Halton"], group=GROUP),
    "In need": compare_indicators(need, Shelf(), ["Halton"], group=GROUP),
}, "what")  # fmt: skip
named = {"what": "Children", "comparator_name": "Beside"}
own = table.assign(estimate=table["value"])
theirs = table.assign(
    estimate=table["comparator_value"], lower=table["comparator_lower"], upper=table["comparator_upper"]
)
both = labelled({"Halton": own, "The other": theirs}, "whose").assign(unit="proportion")
show_across(
    both, "Halton and what it stands beside", named, "whose", {"Halton": "Halton", "The other": "The comparator"}
)

# %% [markdown]
# Two of Halton's neighbours withheld, then three: first flagged, with the values between which the average must lie whatever the two have;
# then not calculated.

# %%
withheld = {
    "none": known_indicator(looked_after, people, "0-17"),
    "Salford and Tameside": known_indicator(looked_after, people, "0-17", without=("Salford", "Tameside")),
    "Salford, Tameside and St. Helens": known_indicator(
        looked_after, people, "0-17", without=("Salford", "Tameside", "St. Helens")
    ),
}  # fmt: skip
rules = labelled(
    {
        name: compare_indicators(held, Shelf(), ["Halton"], ["statistical-neighbours"], group=GROUP)
        for name, held in withheld.items()
    },
    "withheld",
)
show_table(
    rules.drop(columns=["lower", "upper"]).rename(columns={"comparator_value": "estimate"}),
    "The average of the neighbours when some have no figure",
    {
        "withheld": "Without a figure",
        "estimate": "Average of the others",
        "flags": "Said of it",
        "sentence": "How Halton is doing",
    },
    unit="proportion",
    words={"W861": "possible under-calculation (W861)", "R862": "not calculated (R862)", "": "complete"},
)

# %% [markdown]
# From rates alone, such as the rates of admission to hospital for mental health that are published without their counts:

# %%
try:
    neighbour_average([1.0, 2.0], None)
except HnaError as refusal:
    print(refusal)

# %% [markdown]
# *What differs from 2014.* Halton was one of the eleven it was tested against, which hides part of a difference; here it stays in the
# average that is shown and is taken out of it for the test. The eleven are those of 2014. The Department for Education's model of 2025
# gives Halton ten others, and any `hna assess` uses those unless told otherwise.

# %%
latest = compare_indicators(care, Shelf(), ["Halton"], ["statistical-neighbours"])
show_table(
    latest.drop(columns=["lower", "upper"]).rename(columns={"comparator_value": "estimate"}),
    "Children looked after beside the neighbours of 2025",
    {"comparator_name": "Beside", "estimate": "Average of the neighbours", "sentence": "How Halton is doing"},
    unit="proportion",
)

# %% [markdown]
# ## 2. Wording
#
# Halton's tables said *Significantly worse England average*, *Rate similar to England*, *Rate higher than England but not statistically
# worse*, *Not statistically comparable*. These became a closed list: nothing is called worse or better without a test, and every sentence
# stands with its value, interval, number, period and comparator. Halton also wrote *Worse* where nothing was tested; that form cannot be
# made.

# %%
said = outcomes(labelled({"": compare_indicators(care, Shelf(), ["Halton"], group=GROUP)}, "what").drop(columns="what"))
show_table(
    said, "Children looked after as Halton's tables set it out",
    {"indicator": "Indicator", "value": "Halton", "interval": "Interval", "england": "England", "region": "North West",
     "statistical_neighbours": "Neighbours", "how": "How Halton is doing"},
)  # fmt: skip

# %% [markdown]
# ## 3. Rates of research on local people
#
# Halton's method is to apply the rate of a study to local people. A report to its councillors in February 2013 did so for children's mental
# health: about 24,000 children of 0 to 15, and 9.6 % of them, were said to be 2,500 children (*Children's Emotional and Mental Health and
# Well-being Service Provision*, Policy and Performance Board, 25 February 2013). 9.6 % of 24,000 is 2,304.
#
# 9.6 % is the share that the survey of 2004 found **at ages 5 to 16**. Carried to 0 to 15 it counts children under 5, of whom the survey
# asked nobody, and leaves out those of 16. `hna` never carries a rate outside the ages of its study, so the model below is refused:

# %%
model = hna.load_model("child-mental-disorder")
children = hna.population("ons-mye-2023", areas=["Halton"])
try:
    hna.need(hna.rates(model.model_copy(update={"ages": "0-15"}), draws=DRAWS), children, by=["area", "year"])
except HnaError as refusal:
    print(refusal)

# %% [markdown]
# The same method, on the ages of the study, and by boys and girls as the survey printed them:

# %%
report = hna.run("child-mental-disorder", "Halton", draws=DRAWS, out=OUT)
show_need(report, "child-mental-disorder", "findings", only="sentences")

# %% [markdown]
# *What differs, and by how much.* Three things, each by itself. **Rounding:** 2,500 is 196 more than the product that it stands for, which
# is itself made of a rounded 24,000. **Ages:** the children of 0 to 15 and those of 5 to 16 are not the same number. **Population:** the
# children of 2013 are not those of mid-2020 or mid-2023.

# %%
then = hna.population("ons-mye-2020", areas=["Halton"])
ages = {"0 to 15": "0-15", "5 to 16": "5-16"}
counted = {
    when: labelled({label: people_of(held, band) for label, band in ages.items()}, "ages")
    for when, held in {"mid-2020": then, "mid-2023": children}.items()
}
show_across(
    labelled(counted, "when"),
    "Children of Halton",
    {"when": "Date"},
    "ages",
    {label: f"Ages {label}" for label in ages},
)

# %% [markdown]
# And a range: Halton printed one number. The survey's own table prints no interval, so the one shown above is a judgement, and says so.

# %% [markdown]
# ## 4. Three approaches
#
# Halton's assessment was epidemiological, comparative and corporate, and held that *the most important needs will emerge from more than one
# source*. Here that is a rule: findings that rest on the same data count once, and what only people say is marked as such, for by itself
# it *can identify demands rather than need*. Nothing of what Halton heard in 2014 was to hand, and none has been made up, so the corporate
# approach is silent and no need can emerge from more than one source.

# %%
assessment = assess_area("Halton", "halton-children-2014", draws=DRAWS, words=finding_words)
show_assessment(assessment, "emergence", "triangulation")

# %% [markdown]
# ## 5. Chapters
#
# Halton's ten chapters by life course, with sections for vulnerable groups. A need is described and counted in one chapter; others lead to
# it.

# %%
show_lines(
    (
        f"{chapter.spec.number}. {chapter.spec.title}",
        ", ".join(assessment.title(name) for name in chapter.needs) or "no need that is estimated",
    )
    for chapter in assessment.chapters
)

# %% [markdown]
# ## 6. Core data that were not available
#
# Halton reported them *in the specific chapter section*. So does this, and lists them together.

# %%
show_assessment(assessment, "missing")

# %% [markdown]
# ## 7. Priorities
#
# Halton's priorities were agreed by people. Here nobody has agreed weights, so every weighting is drawn alike, and it is said how sure the
# order is.

# %%
show_assessment(assessment, "priorities")

# %% [markdown]
# ## Annex: what readers of health estimates must be told (GATHER)

# %%
show_gather(report)

# %%
write_site(assessment, OUT.joinpath("assessment"))[0].name
