"""Sphinx's settings of the pages: `make docs` builds them without a network, and a warning is an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from dynode import __version__

project, author, release = "dynode", "the dynode contributors", __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_design", "dynode_pages"]
exclude_patterns = ["dynode_pages"]

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_block"]
myst_heading_anchors = 3
myst_update_mathjax = False
nb_execution_mode = "off"
html_math_renderer = "mathml"  # of `dynode_pages.formulas`: nothing is loaded for a formula

# What is documented elsewhere has no page here, and nothing is asked of another site.
nitpick_ignore_regex = [("py:.*", r"(?!dynode\.).*"), ("py:.*", r"dynode\.(?!generators\.protocol|dynamics\.traj).*")]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"dynode {release}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
