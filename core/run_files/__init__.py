"""Runs as files that travel: one documented file per run, opened on any machine as *recorded*. No torch."""

from typing import TYPE_CHECKING

from core.lazy_names import lazy_names

if TYPE_CHECKING:
    from core.run_files.document import VERSION, BadRunFile, damaged, read_run_file, write_run_file
    from core.run_files.names import KIND_NAME, MIME_TYPE, SUFFIX
    from core.run_files.saved_run import SavedRun, as_recorded
    from core.run_files.wording import place_and_time

__getattr__ = lazy_names(
    __name__,
    {
        "names": ("KIND_NAME", "MIME_TYPE", "SUFFIX"),
        "document": ("VERSION", "BadRunFile", "damaged", "read_run_file", "write_run_file"),
        "saved_run": ("SavedRun", "as_recorded"),
        "wording": ("place_and_time",),
    },
)

__all__ = [
    "KIND_NAME",
    "MIME_TYPE",
    "SUFFIX",
    "VERSION",
    "BadRunFile",
    "SavedRun",
    "as_recorded",
    "damaged",
    "place_and_time",
    "read_run_file",
    "write_run_file",
]
