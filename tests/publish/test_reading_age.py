"""The summary is for everybody: it reads at an age of about twelve."""

import re

from hna.publish.compose import make_content
from hna.publish.content import Items, Paragraph
from tests.publish import reports


def _syllables(word: str) -> int:
    word = word.lower()
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith("le") and groups > 1
    return max(1, groups - silent)


def grade(text: str) -> float:
    """Flesch and Kincaid's school grade: a reader of grade g is about g + 5 years old."""
    sentences = [part for part in re.split(r"[.!?:]+\s", text) if part.strip()]
    words = re.findall(r"[A-Za-z']+", text)
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def test_the_measure_tells_plain_from_learned_words():
    assert grade("The cat sat on the mat. It was warm. ") < 3
    assert grade("Epidemiological triangulation necessitates methodological heterogeneity considerations. ") > 15


def test_the_summary_reads_at_about_twelve():
    content = make_content(reports.shipped())
    said = []
    for block in content.introduction:
        if isinstance(block, Paragraph):
            said.append(block.text)
        elif isinstance(block, Items):
            said += [f"{item.term} {item.text}" for item in block.items]
    assert grade(" ".join(said) + " ") <= 8
    # Titles of services and conditions are what they are; the sentences around them are ours.
    assert grade(" ".join(need.sentence for need in content.needs) + " ") <= 12
