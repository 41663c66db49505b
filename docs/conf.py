"""How `make docs` builds the site: scripts/docs_run.py runs its examples, scripts/docs_pages.py makes the rest."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import headstart

project = "headstart"
author = "the headstart authors"
version = release = headstart.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "scripts.docs_pages",
    "scripts.docs_run",
]
exclude_patterns = ["_made"]

html_theme = "furo"
html_title = "headstart"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["search.js"]
html_extra_path = ["_made"]  # reports that pages show in a frame
html_copy_source = False
html_show_copyright = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
default_role = "literal"  # `name` in a docstring
autodoc_member_order = "bysource"
maximum_signature_line_length = 70
copybutton_prompt_text = "$ "
nitpick_ignore_regex = [("py:.*", ".*")]
