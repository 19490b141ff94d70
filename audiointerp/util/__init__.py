"""Helpers that every room may use: files, text, devices, probabilities, old module names.

Each name is imported on first use, so files and text do not import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
