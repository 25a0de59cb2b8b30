"""Figures of what a run did."""

from .figures import draw_trade_off, draw_training_curve
from .pictures import compression_figure, save_compression_figure, save_figure, training_figure
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
from .quantization_figures import draw_distribution, draw_losses, draw_noise, draw_ranges
from .quantization_pictures import (
    distributions_figure,
    noise_figure,
    ranges_figure,
    save_quantization_figures,
)

__all__ = [
    "cliff_figure",
    "compression_figure",
    "distributions_figure",
    "draw_cliff",
    "draw_distribution",
    "draw_filters",
    "draw_flops",
    "draw_losses",
    "draw_noise",
    "draw_ranges",
    "draw_search",
    "draw_sensitivity",
    "draw_temperature",
    "draw_trade_off",
    "draw_training_curve",
    "draw_widths",
    "filters_figure",
    "noise_figure",
    "ranges_figure",
    "save_cliff_figure",
    "save_compression_figure",
    "save_figure",
    "save_filters_figure",
    "save_quantization_figures",
    "save_search_figure",
    "save_sensitivity_figure",
    "save_widths_figure",
    "search_figure",
    "sensitivity_figure",
    "training_figure",
    "widths_figure",
]
