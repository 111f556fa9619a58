"""Scripts that are written without spaces, in which each character counts as a word."""

UNSPACED = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fa1f]"
"""Pattern of one of their characters."""
