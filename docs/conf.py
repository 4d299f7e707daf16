"""How the site is built: `scripts/docs`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from pygments.lexers.shell import BashLexer  # noqa: E402 - the path is set above
from sphinx.application import Sphinx  # noqa: E402

from bulk_esm import __version__  # noqa: E402 - the path is set above

project = "bulk_esm"
author = "the bulk_esm authors"
copyright = author  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "from_the_code"]
exclude_patterns = ["_*"]
root_doc = "index"

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # of what is never the same twice anyway
default_role = "code"  # docstrings write `code` as Markdown has it
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # members of records are listed, and not documented twice
napoleon_use_rtype = False

copybutton_prompt_text = "$ "  # what is copied of a session are its commands
copybutton_only_copy_prompt_lines = True

smartquotes = False  # quotes in commands are to be copied
toc_object_entries = False

html_theme = "furo"
html_title = f"bulk_esm {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None  # the same sources make the same site


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_lexer("crontab", BashLexer)
