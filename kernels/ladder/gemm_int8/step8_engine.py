"""The engine's kernel.

What the engine runs, the same tile without padding of rows: a row beyond the last is computed as the last once more
and not stored. In a model its sums never reach memory. Each layer's tile goes on to add the bias, to bring the sums to
the scale of the next layer with one rounding, and stores bytes: a quarter of what is stored here.
"""

from __future__ import annotations

from ... import gemm_int8

__all__ = ["gemm_int8"]
