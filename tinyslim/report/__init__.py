"""Figures of what a run did."""

from .figures import draw_trade_off, draw_training_curve
from .pictures import compression_figure, save_compression_figure, save_figure, training_figure

__all__ = [
    "compression_figure",
    "draw_trade_off",
    "draw_training_curve",
    "save_compression_figure",
    "save_figure",
    "training_figure",
]
