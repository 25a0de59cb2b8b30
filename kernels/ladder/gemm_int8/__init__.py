"""The product of bytes, (m, k) uint8 · (k, n) int8 → (m, n) int32, step by step."""
