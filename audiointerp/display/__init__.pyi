from . import plot, report
from .blind_test import BlindSound, write_blind_test
from .card import write_card
from .document import page_digest
from .explore_widget import NotebookExplorer, explore
from .explorer import Explorer
from .figures import figure_address
from .forest import forest_plot
from .forest_svg import Difference
from .localisation import LocalisedClass, localisation_figure
from .many_clips import (
    MOST_CLIPS,
    ClipPart,
    clip_part,
    make_clip_folder,
    write_clips,
    write_parts,
    write_report,
)
from .method_titles import METHOD_TITLES
from .players import matched_player, player, shared_peak
from .plot import comparison, interpretation
from .report import (
    WRITTEN,
    interpretation_html,
    interpretation_page,
    method_notes,
    page,
    players_html,
    write_interpretation,
)
from .scores import Grid, scores_section

__all__ = [
    "METHOD_TITLES",
    "MOST_CLIPS",
    "WRITTEN",
    "BlindSound",
    "ClipPart",
    "Difference",
    "Explorer",
    "Grid",
    "LocalisedClass",
    "NotebookExplorer",
    "clip_part",
    "comparison",
    "explore",
    "figure_address",
    "forest_plot",
    "interpretation",
    "interpretation_html",
    "interpretation_page",
    "localisation_figure",
    "make_clip_folder",
    "matched_player",
    "method_notes",
    "page",
    "page_digest",
    "player",
    "players_html",
    "plot",
    "report",
    "scores_section",
    "shared_peak",
    "write_blind_test",
    "write_card",
    "write_clips",
    "write_interpretation",
    "write_parts",
    "write_report",
]
