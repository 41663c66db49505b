"""Reports: one self-contained HTML page from a saved ranking, on a machine without torch or network."""

from headstart.report.page import write_adaptation, write_report, write_results

__all__ = ["write_adaptation", "write_report", "write_results"]
