"""Figures of what a run did."""

from .expression_picture import describe_expression, expression_figure
from .figures import draw_trade_off, draw_training_curve
from .pictures import compression_figure, empty_figure, save_compression_figure, save_figure, training_figure
from .pruning_figures import (
    draw_cliff,
    draw_filters,
    draw_flops,
    draw_search,
    draw_sensitivity,
    draw_temperature,
    draw_widths,
)
from .pruning_pictures import (
    cliff_figure,
    filters_figure,
    save_cliff_figure,
    save_filters_figure,
    save_search_figure,
    save_sensitivity_figure,
    save_widths_figure,
    search_figure,
    sensitivity_figure,
    widths_figure,
)

__all__ = [
    "cliff_figure",
    "compression_figure",
    "describe_expression",
    "draw_cliff",
    "draw_filters",
    "draw_flops",
    "draw_search",
    "draw_sensitivity",
    "draw_temperature",
    "draw_trade_off",
    "draw_training_curve",
    "draw_widths",
    "empty_figure",
    "expression_figure",
    "filters_figure",
    "save_cliff_figure",
    "save_compression_figure",
    "save_figure",
    "save_filters_figure",
    "save_search_figure",
    "save_sensitivity_figure",
    "save_widths_figure",
    "search_figure",
    "sensitivity_figure",
    "training_figure",
    "widths_figure",
]
