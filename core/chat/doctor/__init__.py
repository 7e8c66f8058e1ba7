"""A doctor for chat templates and loss masks: one verdict per known silent failure, with the tokens and the repair.

`examine` looks at a tokenizer, its template and a few conversations, `examine_file` at a data file of any length.

To add a failure, declare a `Failure` in the file of its group and yield a `Complaint` where it is found; a new group
goes into `registry`. tests/chat/doctor/planted.py fails until the failure is planted once.
"""

from core.chat.doctor.data_file import BrokenLine, FileProgress, IllConversation, Report, examine_file, report_of
from core.chat.doctor.examination import examine
from core.chat.doctor.findings import Evidence, Finding, Severity
from core.chat.doctor.registry import FAILURES, GROUPS
from core.chat.doctor.setup import TrainingSetup

__all__ = [
    "FAILURES",
    "GROUPS",
    "BrokenLine",
    "Evidence",
    "FileProgress",
    "Finding",
    "IllConversation",
    "Report",
    "Severity",
    "TrainingSetup",
    "examine",
    "examine_file",
    "report_of",
]
