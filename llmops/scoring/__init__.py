"""Pure checks of a text or a ranking, and the extractive readers."""
