"""Panel pages: they look, they do not touch."""
