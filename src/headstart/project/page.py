"""The project's report: its story above the ranking's report, on one page."""

from pathlib import Path

from headstart.records import Project
from headstart.records.table import as_html
from headstart.report import write_report


def write_project(project: Project, path: Path) -> Path:
    """Write the page and return its path."""
    return write_report(project.ranking, path, story=as_html(project.view()))
