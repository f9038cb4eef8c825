"""HTML pages that need no network: one template, one stylesheet, one way to draw plots."""
