"""HTML as Markdown: headings, lists, tables and code survive; scripts, navigation and what a browser hides do not."""

import re
from dataclasses import dataclass, field
from typing import Any

from llmops.rag.markdown import plain_line

MAX_NESTING = 500
"""Open elements; building a tree costs their number for each tag, and a page of people has fewer than 100."""


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_gone = _tags(
    "audio button canvas dialog embed head iframe input math nav noscript object script select style svg template textarea "
    "video"
)
_blocks = _tags(
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form header hr html "
    "li main ol p pre section summary table tr ul"
)
_structure = "h1, h2, h3, h4, h5, h6, pre, table"
"""A table with one of these in it lays the page out."""
_heading = re.compile(r"h([1-6])")
_space = re.compile(r"\s+")
_hidden_style = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_tag = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
_closed_by_others = _tags("p li dt dd tr td th thead tbody tfoot option optgroup colgroup")
_void = _tags("area base br col embed hr img input link meta source track wbr")


def html_to_markdown(html: str) -> str:
    """The readable text of a page, from its `main` element when it has one.

    Raises:
        ValueError: its elements are nested too deeply.
    """
    from selectolax.lexbor import LexborHTMLParser

    if _nesting(html) > MAX_NESTING:
        raise ValueError(f"has more than {MAX_NESTING} elements in one another")
    tree = LexborHTMLParser(html)
    mains = tree.css("main, [role=main]")
    page = _Page()
    page.read(mains[0] if len(mains) == 1 else tree.root)
    text = page.text
    title = tree.css_first("head > title")
    name = _space.sub(" ", title.text(deep=True)).strip() if title is not None else ""
    return f"# {name}\n\n{text}" if name and not page.has_title else text


def _nesting(html: str) -> int:
    """A bound on the elements that are open at once, without building them."""
    depth = deepest = 0
    for match in _tag.finditer(html):
        name = match[2].lower()
        if name not in _void and name not in _closed_by_others:
            depth = max(0, depth - 1) if match[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest


@dataclass(slots=True)
class _Page:
    """Text as it is written; blank lines and marks in front wait for the text that they stand before."""

    has_title: bool = False
    """A heading of the first level was written."""
    _parts: list[str] = field(default_factory=list)
    _gap: int = 0
    """Line ends that are due before the next text."""
    _mark: str = ""
    """Heading, bullet or cell mark that is due before the next text."""
    _lists: list[int | None] = field(default_factory=list)
    """Open lists: the number of the last item, or None for bullets."""
    _inline: int = 0
    """Open headings and table cells, in which no line may end."""
    _layout: list[bool] = field(default_factory=list)
    """Open tables: whether they only lay the page out."""

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self._parts).strip() + "\n"

    def read(self, root: Any) -> None:  # noqa: ANN401 -- a vendor's node
        """Write what stands below a node; without recursion, whatever its depth."""
        waiting: list[Any] = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str):
                self._leave(node)
            elif node.tag == "-text":
                self._write(node.text_content or "")
            elif not _left_out(node) and self._enter(node):
                waiting.append(node.tag)
                waiting.extend(reversed(list(node.iter(include_text=True))))

    def _enter(self, node: Any) -> bool:  # noqa: ANN401
        """Write what stands before an element; False when it is written whole."""
        tag = node.tag
        if tag in _blocks:
            self._break(self._distance(tag))
        if heading := _heading.fullmatch(tag):
            self._break(2)
            if not self._inline:
                self._mark = f"{'#' * int(heading[1])} "
                self.has_title |= heading[1] == "1"
            self._inline += 1
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li" and not self._inline:
            self._mark = self._bullet()
        elif tag == "table":
            self._layout.append(any(each.mem_id != node.mem_id for each in node.css(_structure)))
        elif tag in ("td", "th"):
            self._cell()
        elif tag == "pre" and not self._inline:
            self._code(node.text(deep=True))
            return False
        elif tag == "br":
            self._break(1)
        elif tag == "img":
            self._write(f" {node.attributes.get('alt') or ''} ")
        return True

    def _leave(self, tag: str) -> None:
        if _heading.fullmatch(tag):
            self._inline -= 1
            self._break(2)
        elif tag in ("ul", "ol"):
            self._lists.pop()
        elif tag in ("td", "th") and self._layout and not self._layout[-1]:
            self._inline -= 1
        elif tag == "table":
            self._layout.pop()
        if tag in ("li", "tr") or _heading.fullmatch(tag):
            self._mark = ""
        if tag in _blocks:
            self._break(self._distance(tag))

    def _distance(self, tag: str) -> int:
        """Line ends between an element and its neighbours."""
        return 1 if tag in ("li", "tr", "dt", "dd") or (tag in ("ul", "ol") and self._lists) else 2

    def _bullet(self) -> str:
        indent = "  " * (len(self._lists) - 1)
        if not self._lists or self._lists[-1] is None:
            return f"{indent}- "
        self._lists[-1] += 1
        return f"{indent}{self._lists[-1]}. "

    def _cell(self) -> None:
        if not self._layout or self._layout[-1]:
            self._break(2)
            return
        if not self._inline:
            self._mark += "| " if self._gap or self._mark else " | "
        self._inline += 1

    def _code(self, text: str) -> None:
        longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
        fence = "`" * (longest + 1)
        self._raw(f"{fence}\n{text.strip(chr(10))}\n{fence}")
        self._break(2)

    def _break(self, lines: int) -> None:
        if self._inline:
            self._write(" ")
        else:
            self._gap = max(self._gap, lines)

    def _write(self, text: str) -> None:
        text = _space.sub(" ", text)
        fresh = self._gap or not self._parts
        if fresh or self._mark or self._parts[-1].endswith(" "):
            text = text.removeprefix(" ")
        if text:
            self._raw(plain_line(text) if fresh and not self._mark else text)

    def _raw(self, text: str) -> None:
        if self._gap and self._parts:
            self._parts[-1] = self._parts[-1].rstrip(" ")
            self._parts.append("\n" * self._gap)
        self._parts.append(self._mark + text)
        self._gap, self._mark = 0, ""


def _left_out(node: Any) -> bool:  # noqa: ANN401
    if node.tag in _gone or node.tag.startswith(("-", "!")):
        return True
    attributes = node.attributes
    if "hidden" in attributes or attributes.get("aria-hidden") == "true" or "headerlink" in (attributes.get("class") or ""):
        return True
    return bool(_hidden_style.search(attributes.get("style") or ""))
