"""The engine's kernel.

What the engine runs for every pointwise convolution and linear layer. It is the tile of the steps before it, freed of
their comforts. Rows and columns need no padding: the tile stores only the columns that are there, and a row that is
not is the last one once more. The left side may be any matrix whose element (row, depth) lies at offset[row] +
step(depth), so that the transpose of a matrix and the patches of a convolution are multiplied as they lie in memory.
And work too small for two threads stays on one.
"""

from __future__ import annotations

from ... import gemm

__all__ = ["gemm"]
