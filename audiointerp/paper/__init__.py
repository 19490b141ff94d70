"""This study alone: its setting, its tables, its published figures, and a check of its conclusions.

Nothing here is needed to explain a classifier of your own; the rooms below know nothing of it.
"""

from .finished import find_rows, finished_rows, fold_rows
from .localisation_page import localisation_page, write_localisation
from .localisation_run import localisation_methods, measure_localisation, ratios_in
from .packed import pack_results
from .paper_tables import Paper, paper_of, paper_tables
from .published import (
    COMPARED_METHODS,
    PUBLISHED_METHODS,
    PUBLISHED_SCORES,
    STUDY_MASKS,
    STUDY_METHODS,
)
from .published_faults import faults, kept_accuracies
from .setting import Setting, choose_setting, load_or_train, open_folds, train
from .study_run import run_study, settings_of_study
from .supplementary import write_supplementary
from .validity import failures
from .validity_page import report
from .validity_sanity import study_sanity

__all__ = [
    "COMPARED_METHODS",
    "PUBLISHED_METHODS",
    "PUBLISHED_SCORES",
    "STUDY_MASKS",
    "STUDY_METHODS",
    "Paper",
    "Setting",
    "choose_setting",
    "failures",
    "faults",
    "find_rows",
    "finished_rows",
    "fold_rows",
    "kept_accuracies",
    "load_or_train",
    "localisation_methods",
    "localisation_page",
    "measure_localisation",
    "open_folds",
    "pack_results",
    "paper_of",
    "paper_tables",
    "ratios_in",
    "report",
    "run_study",
    "settings_of_study",
    "study_sanity",
    "train",
    "write_localisation",
    "write_supplementary",
]
