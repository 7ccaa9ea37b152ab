"""Every diagnostic code in words: W warns, N notes, R refuses."""

from __future__ import annotations

CODES: dict[str, str] = {
    "N1004": "The count is hidden for disclosure control, so nothing that rests on it is stated.",
    "N1005": "The count is rounded for disclosure control, and what rests on it is computed from the rounded count.",
    "N401": "A synthetic estimate: what would be expected of a population so composed. It is not for judging performance, "
    "testing a place against another, following change or mapping hot spots.",
    "N441": "Some places have no data of their own. Their rates are predicted from those of the others, with the wider interval that "
    "this deserves.",
    "N461": "So few people are expected that the interval also holds the chance of who is actually there.",
    "N511": "The year is a projection: it shows what follows if today's age-specific rates continue. It is not a forecast.",
    "N602": "The publisher hides small counts. The count is carried as a range, never as nought.",
    "N701": "Whether everyone counted has the need is not known, so the gap and the coverage are apparent ones.",
    "N721": "Draws of the estimate below the people known are left out, since all of these have the need; the gap is of the rest.",
    "R1001": "The topic is sensitive, and no stricter rule for small numbers has been given, so nothing is published.",
    "R1003": "Counts of few people could be worked out from what would be published.",
    "R1004": "The list of earlier releases cannot be read, so what they gave away is not known.",
    "R101": "An estimate lies outside its own interval.",
    "R102": "A value cannot be what it is said to be: a proportion outside its limits, or more cases than people examined.",
    "R104": "An age band cannot be read, often because a spreadsheet has taken it for a date.",
    "R113": "The source prints no uncertainty and no range has been judged, so it cannot be used.",
    "R141": "The mean of the draws is not the published rate, so the error terms are too wide.",
    "R151": "Cumulative strata of severity would give a negative number of people when subtracted from each other.",
    "R152": "Strata of severity that overlap are never added up.",
    "R171": "A lifetime prevalence cannot be turned into people who have the need now.",
    "R201": "A rate was asked for outside the ages of its source. Nothing is extrapolated.",
    "R203": "One rate would be used for all ages, though another source shows that it changes steeply with age.",
    "R301": "The sources differ in definition, period, ages or sex, so they are not combined.",
    "R302": "There are too few studies to be combined in the way that was asked for.",
    "R303": "The same survey, or something that is no study of its own, would be combined with others.",
    "R304": "A study that was not appraised is not combined with others.",
    "R311": "The difference between places would be counted twice.",
    "R321": "A step from one definition to another rests on no pairs of measurements.",
    "R322": "A test's errors make it impossible to say how many of those who test positive have the need.",
    "R332": "The studies contradict each other, so no average of them is stated.",
    "R391": "The sampler has not converged, so its result is not used.",
    "R392": "The quick approximation to the posterior is not close enough to it, so its result is not used.",
    "R393": "The model needs draws that a sampler makes ahead, and there are none of exactly these inputs.",
    "R401": "A synthetic estimate is not tested against another place, ranked, or used to judge how a place performs.",
    "R411": "The rate would be adjusted for the same thing twice.",
    "R412": "A relative risk has no reference population.",
    "R413": "A ratio that was not adjusted for age is not applied within ages.",
    "R414": "A relative risk would take a rate above one.",
    "R415": "Nothing says how the people of this place are divided by what the rate is adjusted for.",
    "R422": "The totals to be met contradict each other.",
    "R423": "The area whose total is to be held is in no population.",
    "R431": "Smoothing a synthetic estimate on a map adds no information.",
    "R432": "There are too few areas for a spatial model.",
    "R512": "The year lies beyond the numbers of people, or beyond the years for which their errors were measured.",
    "R513": "The measured errors of projections have no such type of area.",
    "R522": "The rate and the population are of different people, or communal establishments left out could be too much of the need.",
    "R523": "Counts by practice cannot be brought to residents: who is registered where is not all there.",
    "R602": "A hidden count is never read as nought.",
    "R604": "The count is of episodes or referrals, and episodes and referrals are not people.",
    "R611": "Counts of several services are never added up as if nobody used two of them.",
    "R612": "The numbers said to use two services at once cannot all be true.",
    "R623": "The lists given cannot say how many people are on none of them.",
    "R624": "The count and the share known are not of the same people.",
    "R711": "The estimate and the count do not count the same people, so they are listed side by side and no gap is stated.",
    "R721": "Nearly every draw of the estimate lies below the number known: the two pieces of evidence are in conflict.",
    "R741": "Limits are never added up. The interval of a sum is that of the counts, or of the draws, added up first.",
    "R742": "Draws that were not made together are not set against each other, since errors that they share would be lost.",
    "R751": "A share of those who have a need is no prevalence, and one that should be reached needs its source.",
    "R761": "Needs are not added up across conditions, because one person may have several. Bounds are given instead.",
    "R821": "Inequality is not measured on a synthetic estimate: it would be the relative risks that were put in.",
    "R851": "A trend is not tested on so few periods, or on periods that overlap.",
    "R862": "The average of the statistical neighbours is not calculated, because too many of them have no figure.",
    "R863": "The average of the statistical neighbours is not calculated, because only rates were published.",
    "R871": "Better and worse are only said of a difference that was tested.",
    "R881": "Clusters are not looked for on a map of estimates: they would be those of what the estimates were made from.",
    "R901": "A chapter lacks data that it must hold, and no record says why.",
    "W1002": "No list of earlier releases was given, so only one kind of area and one set of ages may be published.",
    "W103": "A study has rates of one sex, or of fewer ages of one, and does not say why; or its bands of ages overlap or leave a gap.",
    "W111": "The printed interval is not symmetrical on any usual scale, so its shape is an approximation.",
    "W112": "The source prints only how many people were examined. A usual design effect was assumed.",
    "W114": "A group in which no case, or nothing but cases, was found was given a distribution that allows for chance.",
    "W121": "Too few people of this group were examined for it to be reported alone: it is in the totals, not in the report.",
    "W131": "At least one error term is a default chosen by judgement, not taken from evidence.",
    "W161": "The source is a poor match for this place, time or definition on at least one point.",
    "W162": "The study's fieldwork is old for the year reported; its age is in the table of sources.",
    "W202": "One rate is used for a wide range of ages, so differences in age within it are missed.",
    "W301": "Other sources or models were run whole, and stand beside the figures. They are not averaged with them.",
    "W302": "A run with a changing rate stands beside that with today's rate, and is in no interval.",
    "W321": "The step from one definition to another rests on different studies, so it also holds what else differs between them.",
    "W331": "One study is in tension with the others.",
    "W421": "A total to which estimates are fitted was printed without its error, so the interval is too narrow.",
    "W501": "Populations of different releases or boundaries stand in one series of years.",
    "W511": "The year is so far beyond the start of the projection that the number of people is itself often well out.",
    "W521": "People registered with practices were turned into people who live here.",
    "W522": "The study reached people in households only. People in care homes, prisons and halls are taken to be like them.",
    "W601": "How many of those counted have the need and live here was not measured, or services may share people.",
    "W603": "A count over a period was turned into a count on a day on the assumption of a steady state.",
    "W605": "The count and the estimate are far apart in time.",
    "W621": "A number estimated from overlapping lists has not been checked against other evidence.",
    "W722": "Numbers known are close to or above the estimate.",
    "W723": "The estimate does not support a gap: check the definition, residence, duplicates and the age of the rate.",
    "W731": "The order of places depends on an assumed difference between them.",
    "W811": "Events of one person may be counted more than once, so the interval of the rate is too narrow.",
    "W812": "Each indirectly standardised ratio is compared with the reference, and not with that of another place.",
    "W861": "The average of the statistical neighbours leaves out one or two that have no figure.",
    "W864": "Counts were worked out from printed crude rates, each of which belongs to one whole count only.",
    "W902": "No national guidance is listed for this need.",
    "W903": "The assessment is past its review date.",
}  # fmt: skip

KINDS = {"W": "Warning", "N": "Note", "R": "Refusal"}


def in_words(code: str) -> str:
    """The sentence for a code; a code that has none says so."""
    return CODES.get(code, "This code has no sentence yet: see the methods.")


def kind_of(code: str) -> str:
    """Warning, Note or Refusal."""
    return KINDS.get(code[:1], "Note")


def codes_page() -> str:
    """The page of documentation that lists every code."""
    rows = "\n".join(f"| {code} | {kind_of(code)} | {CODES[code]} |" for code in sorted(CODES))
    return (
        "# Diagnostic codes\n\n"
        "Codes travel with a number into every output: the `flags` column of `gap.csv`, `run.json`, the page and the\n"
        "workbook. A warning is a number that can be defended with a stated assumption. A note says how a number was\n"
        "made. A refusal is lifted only by supplying what is missing, with its citation.\n\n"
        "No run raises R741, R742, R821, R871, R881, W811, W812 or W864: they are of functions called from Python\n"
        "(`hna.indicators`, `hna.any_need`, `hna.answers.change`). Needs are never added up (R761): `hna.any_need` gives their bounds.\n\n"
        f"| code | kind | in words |\n|---|---|---|\n{rows}\n"
    )
