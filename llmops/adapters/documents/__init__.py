"""Files of a corpus as text: HTML, PDF and DOCX through the `documents` extra, text in any encoding."""
