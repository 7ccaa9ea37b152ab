"""The public functions: each step of an assessment, and the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hna.answers.answer import Answer, answer
from hna.answers.any_need import any_need
from hna.answers.gap import Gap, gap
from hna.answers.memory import MEMORY
from hna.answers.need import NeedEstimate, need
from hna.answers.residents import to_residents
from hna.evidence.known import Known, read_known
from hna.evidence.population import Population, read_population
from hna.evidence.shelf import Shelf
from hna.measure.draws import DEFAULT_DRAWS
from hna.model.people_error import with_error
from hna.model.rates import Rates, make_rates
from hna.model.spec import KnownUse, Model, read_model
from hna.publish.folder import check_folder
from hna.publish.outputs import write_outputs
from hna.publish.report import Report
from hna.run import DEFAULT_SEED, SUBGROUPS, Request
from hna.run import run as run_request

__all__ = ["any_need", "gap", "known", "load_model", "need", "population", "rates", "report", "run"]


def _shelf(workspace: str | Path | None) -> Shelf:
    return Shelf(None if workspace is None else Path(workspace))


def load_model(name: str | Path, workspace: str | Path | None = None) -> Model:
    """The model of a need.

    Parameters
    ----------
    name : its name on the shelf (``"dementia"``), or the path of a model file.
    workspace : folder read before the shipped shelf.

    Raises
    ------
    ModelError, SourceError
        Every fault of the file at once, or the nearest names.
    """
    path = Path(name)
    return read_model(path if path.suffix == ".yaml" else _shelf(workspace).model_file(str(name)))


def rates(
    model: Model | str, draws: int = DEFAULT_DRAWS, seed: int = DEFAULT_SEED, workspace: str | Path | None = None
) -> Rates:
    """The rate that a model states, as draws over severity (where it has strata), sex and age.

    Parameters
    ----------
    model : from `load_model`, or its name.
    draws, seed : of the simulation; the same seed gives the same draws in any order of calls.
    workspace : folder read before the shipped shelf.

    Returns
    -------
    Rates, an Estimate in proportions: the rate where and when it was studied, with sampling and study error. Years since
    and the difference of a place are added where it is applied to people.
    """
    return make_rates(load_model(model, workspace) if isinstance(model, str) else model, _shelf(workspace), draws, seed)


def population(
    name: str,
    areas: Sequence[str] | str | None = None,
    years: Sequence[int] | int | None = None,
    workspace: str | Path | None = None,
    *,
    error: bool = True,
) -> Population:
    """People living in places, over area, year, sex and age, with the error of their number as in `hna.run`.

    Whatever is made from them (`need`, `gap`, `report`) holds that error in its interval; estimates do not move.

    Parameters
    ----------
    name : identifier on the shelf, such as ``"ons-mye-2023"``.
    areas : names or codes; None for all.
    years : None for all.
    workspace : folder read before the shipped shelf.
    error : False to take the numbers as exact.
    """
    wanted = [areas] if isinstance(areas, str) else areas
    chosen = [years] if isinstance(years, int) else years
    shelf = _shelf(workspace)
    found = read_population(shelf, name, wanted, chosen)
    return with_error(shelf, found) if error else found


def known(
    name: str,
    areas: Sequence[str] | str | None = None,
    workspace: str | Path | None = None,
    use: KnownUse | None = None,
) -> Known:
    """People known to a service; hidden and rounded counts stay intervals.

    Parameters
    ----------
    name : identifier on the shelf, such as ``"qof-dementia-2019-20"``.
    areas : names or codes; None for all.
    workspace : folder read before the shipped shelf.
    use : of a model, such as ``model.known[0]``: brings counts by practice to the areas in which their patients live.
    """
    wanted = [areas] if isinstance(areas, str) else areas
    if use is None or use.residents is None:
        return read_known(_shelf(workspace), name, wanted)
    held = to_residents(read_known(_shelf(workspace), name), _shelf(workspace), use.residents)
    codes = held.area_code if wanted is None else [area.code for area in held.areas.find_all(wanted)]
    return held.take(np.isin(held.area_code.astype(str), codes))


def report(
    results: Sequence[Gap | NeedEstimate], out: str | Path, level: float = 0.95, by: Sequence[str] = SUBGROUPS
) -> list[Path]:
    """Page, workbook and tables of some results.

    Parameters
    ----------
    results : from `gap` or `need`.
    out : folder; made if it is not there.
    level : confidence level.
    by : subgroups reported: any of sex, age.

    Returns
    -------
    the files written.
    """
    folder = Path(out)
    check_folder(folder)
    answers = tuple(_answered(result, level, by) for result in results)
    first = answers[0].rates
    request = Request(
        needs=tuple(found.model.need for found in answers),
        areas=tuple(dict.fromkeys(area for found in answers for area in found.figures["area_name"])),
        by=tuple(by), draws=first.size, seed=first.seed, level=level,
    )  # fmt: skip
    return write_outputs(Report(answers, request.arguments()), folder)


def _answered(result: Gap | NeedEstimate, level: float, by: Sequence[str]) -> Answer:
    estimated = result.need if isinstance(result, Gap) else result
    if not isinstance(result, Gap):
        return answer(estimated.rates, [estimated.population], [], by, level, {})
    pairs = {(result.counts.source.id, area): year for area, year in result.known}
    return answer(estimated.rates, [estimated.population], [result.counts], by, level, pairs)


def run(
    needs: Sequence[str] | str = (),
    areas: Sequence[str] | str = (),
    population: str | None = None,
    years: Sequence[int] | int | None = None,
    *,
    by: Sequence[str] = SUBGROUPS,
    draws: int = DEFAULT_DRAWS,
    seed: int = DEFAULT_SEED,
    level: float = 0.95,
    out: str | Path = "hna-report",
    workspace: str | Path | None = None,
    disclosure: str = "none",
    keep_draws: bool = False,
    ledger: str | Path | None = None,
    formats: Sequence[str] = (),
    client: Any = None,
    memory: int = MEMORY,
) -> Report:
    """Needs assessed for areas, and the report written: what ``hna run`` does.

    Parameters
    ----------
    needs : names of models; empty for all.
    areas : names or codes; empty for Halton and Sefton, or the areas of the workspace's own populations.
    population : the only population to use; None to choose from the shelf.
    years : None for the latest estimate and every fifth projected year.
    by : subgroups reported: any of sex, age; and small areas or sums of them, of `hna.answers.small_areas.BY` or a
        lookup of data/areas.
    draws, seed, level : of the simulation.
    out : folder for the outputs.
    workspace : folder read before the shipped shelf.
    disclosure : preset, or ``"none"``.
    keep_draws : whether to write draws.nc.
    ledger : folder that lists what was released before, so that a later release cannot undo an earlier one.
    formats : documents to write as well: any of word, pdf, ods.
    client : of a Dask cluster that answers the needs; None for this process. The outputs are the same bytes.
    memory : bytes that draws may use; what would need more is refused before it starts.

    Raises
    ------
    HnaError
        What is wrong with the request or with files, or why every need is refused; nothing is written then. A refusal of one
        need among others, or of a gap, is among the report's `refusals`.
    """
    request = Request(
        tuple([needs] if isinstance(needs, str) else needs), tuple([areas] if isinstance(areas, str) else areas),
        population, None if years is None else tuple([years] if isinstance(years, int) else years), tuple(by), draws, seed,
        level, None if workspace is None else Path(workspace), disclosure, keep_draws,
        None if ledger is None else Path(ledger), tuple(formats), memory,
    )  # fmt: skip
    return run_request(request, Path(out), client=client)[0]
