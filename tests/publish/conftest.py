"""Reports and their content, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from hna.publish.compose import make_content
from hna.publish.content import Content
from hna.publish.report import Report
from tests.publish import reports


@pytest.fixture(scope="session")
def shipped() -> Report:
    return reports.shipped()


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return reports.own(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return reports.hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def content(shipped: Report) -> Content:
    return make_content(shipped)


@pytest.fixture(scope="session")
def own_content(own: Report) -> Content:
    return make_content(own)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "report.xlsx"
