"""The sampler's model of a curve by age is that of nested Laplace: the same density, by another way through it."""

from __future__ import annotations

import numpy as np
import pytest

from hna.measure.ages import AgeBand
from hna.model.pool_ages import AgeProblem, Reported

SCALE, NEAR = 0.5, 1e-5


def problem(bands: bool, shared: bool) -> AgeProblem:
    """Three studies of ages 60 to 95, or of fewer; one has an error of its own, and two may share one."""
    rng = np.random.default_rng(4)
    cuts = ([60, 70, 80], [60, 75], [60, 65, 80, 90])
    held = []
    for n, lows in enumerate(cuts if bands else ([60], [60], [60])):
        for low, after in zip(lows, [*lows[1:], None], strict=True):
            end = 60 if not bands else None if after is None else after - 1
            held.append(Reported(f"s{n}", AgeBand(low, end), -3 + 0.05 * (low - 60) + rng.normal(0, 0.3), 0.02))
    moved = [[0.4 if one.study == "s0" else 0.2 if one.study == "s2" else 0.0] for one in held] if shared else None
    return AgeProblem.of(held, ["s0", "s1", "s2"], 95, None, {"s1": 0.3}, moved)


@pytest.mark.parametrize(("bands", "shared"), [(True, False), (False, False), (True, True)])
def test_the_density_is_the_same(bands, shared):
    pm = pytest.importorskip("pymc")
    pytensor = pytest.importorskip("pytensor")
    from hna.model.fit_sampler import quietly
    from hna.model.pool_ages_nuts import age_model

    asked = problem(bands, shared)
    with quietly(), pytensor.config.change_flags(mode="FAST_COMPILE", cxx=""):
        model = age_model(pm, asked, SCALE)
        values = [model.rvs_to_values[model[name]] for name in ("tau", "wave", "z")]
        also = [model.rvs_to_values[model["shared"]]] if shared else []
        density = pytensor.function([*values, *also], model.logp())
        place = pytensor.function(values, model.replace_rvs_by_values([model[name] for name in ("b", "tau", "bend")]))
    wide = asked.basis.shape[1]

    def at(x: np.ndarray) -> np.ndarray:
        """Coefficients, then logarithms of τ and of the bends' standard deviation."""
        b, tau, bend = place(x[0], x[1], x[2:])
        return np.concatenate([b, np.log([tau, bend])])

    def of(x: np.ndarray) -> float:
        """Log density, the shared error summed over."""
        if not shared:
            return float(density(x[0], x[1], x[2:]))
        every = [float(density(x[0], x[1], x[2:], np.array([z]))) for z in np.linspace(-25, 25, 1001)]
        return float(np.logaddexp.reduce(every))

    rng = np.random.default_rng(1)
    apart = []
    for _ in range(12):
        x = np.concatenate([[rng.normal(-1.5, 0.7)], [rng.normal(1, 3)], rng.normal(0, 1.2, wide)])
        step = NEAR * np.eye(wide + 2)
        turned = np.array([(at(x + one) - at(x - one)) / (2 * NEAR) for one in step])
        where = at(x)
        mine = asked.log_joint(where[None, None, :wide], where[None, wide:], np.array([SCALE, 1.0]))[0, 0]
        apart.append(of(x) - mine - np.linalg.slogdet(turned)[1])
    assert np.ptp(apart) < 1e-5 * max(1.0, float(np.abs(apart).max()))
