"""Law 8. No citation, no load. Unknown fields are errors. A table's fingerprint is checked."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hna.errors import HnaError, SourceError
from hna.evidence.known import read_known
from hna.evidence.population import read_population
from hna.evidence.prevalence import read_prevalence
from hna.evidence.shelf import check_fingerprint, table_file
from hna.evidence.source import PrevalenceSource, fingerprint, read_record
from hna.model.rates import make_rates
from hna.model.spec import read_model

FOLDERS = {
    "prevalence": ("prevalence_sources/own-study", "own-study", read_prevalence),
    "population": ("data/population/own-people", "own-people", read_population),
    "known": ("data/known/own-register", "own-register", read_known),
}


def _edit(path: Path, change):
    yaml = YAML(typ="safe", pure=True)
    record = yaml.load(path.read_text(encoding="utf-8"))
    change(record)
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(record, stream)


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize(
    "spoil", ["gone", "null", "no title", "no licence", "nothing to find it by", "doi with resolver"]
)
def test_a_source_without_a_usable_citation_is_not_loaded(small, kind, spoil):
    folder, name, read = FOLDERS[kind]

    def change(record):
        if spoil == "gone":
            del record["citation"]
        elif spoil == "null":
            record["citation"] = None
        elif spoil == "no title":
            record["citation"]["title"] = " "
        elif spoil == "no licence":
            record["citation"]["licence"] = ""
        elif spoil == "doi with resolver":
            record["citation"]["doi"] = "https://doi.org/10.1000/1"
        else:
            record["citation"] |= dict.fromkeys(("authors", "doi", "url", "container"))

    read(small.shelf, name)
    _edit(small.root / folder / "source.yaml", change)
    with pytest.raises(SourceError, match="citation"):
        read(small.shelf, name)


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("place", ["top", "citation"])
def test_an_unknown_field_is_an_error(small, kind, place):
    folder, name, read = FOLDERS[kind]

    def change(record):
        (record if place == "top" else record[place])["licnece"] = "OGL"

    _edit(small.root / folder / "source.yaml", change)
    with pytest.raises(SourceError, match=r"licnece.*unknown field"):
        read(small.shelf, name)


def test_an_unknown_field_of_a_model_is_an_error(small):
    path = small.root / "models" / "sleeplessness.yaml"
    _edit(path, lambda record: record["prevalence"].update({"combnie": "single"}))
    with pytest.raises(HnaError, match=r"prevalence\.combnie.*unknown field"):
        read_model(path)


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_table_that_changed_since_it_was_recorded_is_refused(small, kind):
    folder, name, read = FOLDERS[kind]
    table = small.root / folder / "table.csv"
    _edit(small.root / folder / "source.yaml", lambda record: record.update(sha256=fingerprint(table)))
    read(small.shelf, name)
    table.write_bytes(table.read_bytes() + b"\n")
    with pytest.raises(SourceError, match="fingerprint"):
        read(small.shelf, name)


def test_a_shipped_source_needs_a_fingerprint_and_an_analysts_does_not(shipped_shelf, tmp_path):
    folder = tmp_path / "cfas-ii-dementia"
    shutil.copytree(shipped_shelf.folder(PrevalenceSource, "cfas-ii-dementia"), folder)
    _edit(folder / "source.yaml", lambda record: record.pop("sha256"))
    record = read_record(folder / "source.yaml")
    check_fingerprint(record, table_file(folder), required=False)
    with pytest.raises(SourceError, match="sha256 is missing"):
        check_fingerprint(record, table_file(folder), required=True)


def test_a_number_is_not_made_from_a_source_that_cannot_be_loaded(small):
    _edit(small.root / "prevalence_sources/own-study/source.yaml", lambda record: record.pop("citation"))
    with pytest.raises(SourceError, match="required field is missing"):
        make_rates(small.shelf_model(), small.shelf, 10, 1)
