"""How Sphinx builds the documentation: `make docs`."""

from recommender import __version__

project = "A product recommender that you can run"
author = "the authors of the project"
copyright = f"{author}, Apache-2.0"  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False  # types of numpy and pandas have no pages here
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
highlight_language = "none"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "Recommender"
html_static_path = ["_static"]
html_css_files, html_js_files = ["site.css"], ["site.js"]
html_copy_source = html_show_sourcelink = False
html_show_search_summary = False  # summaries are fetched over HTTP: the site is also read from disk
