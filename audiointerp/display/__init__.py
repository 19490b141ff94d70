"""Figures, HTML pages with players, and cards of trained networks.

``plot`` draws figures; ``report`` makes HTML; ``write_interpretation`` writes a folder with both;
``write_card`` writes a network's weights with its card.

Each name is imported on first use, so a page of a clip does not import matplotlib.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
