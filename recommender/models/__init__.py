"""Interactions -> factors. Only `als` imports torch; `factors` is what serving shares."""
