"""Reports: one self-contained HTML page, and pictures for other pages."""

from disentone.report.inputs import Figure, MelAxes, ReportInputs, Sound
from disentone.report.page import write_report
from disentone.report.pictures import write_figures
from disentone.report.tables import tables_text, write_tables_report

__all__ = [
    "Figure",
    "MelAxes",
    "ReportInputs",
    "Sound",
    "tables_text",
    "write_figures",
    "write_report",
    "write_tables_report",
]
