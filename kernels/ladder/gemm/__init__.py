"""The product of two float matrices, (m, k) · (k, n) → (m, n), step by step."""
