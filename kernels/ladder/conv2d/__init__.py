"""Convolution, (n, y, x, cin) ⋆ (filter_y, filter_x, cin, cout) → (n, out_y, out_x, cout), step by step."""
