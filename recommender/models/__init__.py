"""Interactions -> factors, with torch; `factors` alone does without, since serving shares it."""
