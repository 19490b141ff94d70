"""Download the PANNs checkpoints and ESC-50, and check what arrives."""

from .sources import download

__all__ = ["download"]
