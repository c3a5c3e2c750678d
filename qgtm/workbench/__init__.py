"""From an idea to a strategy in the shadow: a new notebook, its tests, what an edit changes, JupyterLab."""
