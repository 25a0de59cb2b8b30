"""Figures of what a run did."""

from .answers import Answer, Opinion, disagreements
from .expression_picture import describe_expression, expression_figure
from .figures import draw_trade_off, draw_training_curve
from .layer_figures import NARROW, layers_figure
from .page import Page, Picture, Section
from .pictures import (
    compression_figure,
    empty_figure,
    save_compression_figure,
    save_figure,
    trade_off_figure,
    training_figure,
)
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
from .row_figures import RowPoint, draw_rows, draw_sizes, rows_figure, save_rows_figure

__all__ = [
    "NARROW",
    "Answer",
    "Opinion",
    "Page",
    "Picture",
    "RowPoint",
    "Section",
    "cliff_figure",
    "compression_figure",
    "describe_expression",
    "disagreements",
    "distributions_figure",
    "draw_cliff",
    "draw_distribution",
    "draw_filters",
    "draw_flops",
    "draw_losses",
    "draw_noise",
    "draw_ranges",
    "draw_rows",
    "draw_search",
    "draw_sensitivity",
    "draw_sizes",
    "draw_temperature",
    "draw_trade_off",
    "draw_training_curve",
    "draw_widths",
    "empty_figure",
    "expression_figure",
    "filters_figure",
    "layers_figure",
    "noise_figure",
    "ranges_figure",
    "rows_figure",
    "save_cliff_figure",
    "save_compression_figure",
    "save_figure",
    "save_filters_figure",
    "save_quantization_figures",
    "save_rows_figure",
    "save_search_figure",
    "save_sensitivity_figure",
    "save_widths_figure",
    "search_figure",
    "sensitivity_figure",
    "trade_off_figure",
    "training_figure",
    "widths_figure",
]
