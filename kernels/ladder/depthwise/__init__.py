"""Depthwise convolution, (n, y, x, c) ⋆ (filter_y, filter_x, c) → (n, out_y, out_x, c), step by step."""
