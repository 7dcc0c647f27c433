"""Reports: one self-contained HTML page."""

from disentone.report.inputs import Figure, MelAxes, ReportInputs, Sound
from disentone.report.page import write_report
from disentone.report.paper_tables import tables_text, write_tables_report

__all__ = [
    "Figure",
    "MelAxes",
    "ReportInputs",
    "Sound",
    "tables_text",
    "write_report",
    "write_tables_report",
]
