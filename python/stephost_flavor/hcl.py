"""Reads as much HCL as a plugin must know of its own manifest: blocks, and
attributes with literal values. Expressions are skipped. The host reads and checks
all of it; this only has to agree with the host where both understand the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_IDENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_HEREDOC = re.compile(r"<<(-?)([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\r?\n")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
# Deeper nesting than this is no manifest, and must not end in a RecursionError.
_MAX_DEPTH = 50


class HCLError(ValueError):
    """The text is not HCL, as far as this reader goes."""


@dataclass
class Block:
    """A block; the file itself is one without type."""

    type: str = ""
    labels: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    """Literal values. An attribute with any other expression is missing here."""
    blocks: list[Block] = field(default_factory=list)

    def first(self, type: str) -> Block | None:
        """The first block of a type."""
        return next((b for b in self.blocks if b.type == type), None)


def parse(text: str) -> Block:
    """Parses a file."""
    r = _Reader(text)
    root = Block()
    r.body(root, 0)
    return root


class _NotLiteral(Exception):
    pass


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, what: str) -> HCLError:
        line = self.text.count("\n", 0, self.at) + 1
        return HCLError(f"line {line}: {what}")

    def space(self, newlines: bool) -> None:
        """Skips blanks and comments, and newlines where they mean nothing."""
        while self.at < len(self.text):
            c = self.text[self.at]
            if c in " \t\r\ufeff" or (newlines and c == "\n"):
                self.at += 1
            elif c == "#" or self.text.startswith("//", self.at):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text.startswith("/*", self.at):
                end = self.text.find("*/", self.at)
                if end < 0:
                    raise self.fail("a comment does not end")
                self.at = end + 2
            else:
                return

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def body(self, block: Block, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise self.fail("blocks are nested too deeply")
        while True:
            self.space(newlines=True)
            c = self.peek()
            if c == "" and depth == 0:
                return
            if c == "}" and depth > 0:
                self.at += 1
                return
            name = _IDENT.match(self.text, self.at)
            if name is None:
                raise self.fail("expected an attribute or a block")
            self.at = name.end()
            self.space(newlines=False)
            if self.peek() == "=" and not self.text.startswith("==", self.at):
                self.at += 1
                self.attribute(block, name.group())
                continue
            inner = Block(name.group())
            while self.peek() != "{":
                inner.labels.append(self.label())
                self.space(newlines=False)
            self.at += 1
            self.body(inner, depth + 1)
            block.blocks.append(inner)

    def label(self) -> str:
        if self.peek() == '"':
            return self.string()
        m = _IDENT.match(self.text, self.at)
        if m is None:
            raise self.fail('expected "=" or "{"')
        self.at = m.end()
        return m.group()

    def attribute(self, block: Block, name: str) -> None:
        start = self.at
        try:
            value = self.value(0)
            self.space(newlines=False)
            if self.peek() not in ("\n", "}", ""):
                raise _NotLiteral
            block.attributes[name] = value
        except _NotLiteral:
            self.at = start
            self.skip()

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise self.fail("lists are nested too deeply")
        self.space(newlines=depth > 0)
        c = self.peek()
        if c == '"':
            start = self.at
            text = self.string()
            if re.search(r"(?<!\$)\$\{|(?<!%)%\{", self.text[start : self.at]):
                raise _NotLiteral
            return text
        if c == "[":
            return self.list(depth)
        if (n := _NUMBER.match(self.text, self.at)) is not None:
            self.at = n.end()
            return int(n.group()) if re.fullmatch(r"-?[0-9]+", n.group()) else float(n.group())
        if (w := _IDENT.match(self.text, self.at)) is not None and w.group() in ("true", "false", "null"):
            self.at = w.end()
            return {"true": True, "false": False, "null": None}[w.group()]
        raise _NotLiteral

    def list(self, depth: int) -> list[Any]:
        self.at += 1
        items: list[Any] = []
        while True:
            self.space(newlines=True)
            if self.peek() == "]":
                self.at += 1
                return items
            items.append(self.value(depth + 1))
            self.space(newlines=True)
            if self.peek() == ",":
                self.at += 1
            elif self.peek() != "]":
                raise _NotLiteral

    def string(self) -> str:
        """A quoted text; at stands behind it afterwards."""
        out: list[str] = []
        self.at += 1
        while True:
            c = self.peek()
            if c in ("", "\n"):
                raise self.fail("a text does not end on its line")
            if c == '"':
                self.at += 1
                return "".join(out)
            if c == "\\":
                out.append(self.escape())
            elif self.text.startswith(("$${", "%%{"), self.at):
                out.append(c + "{")
                self.at += 3
            elif self.text.startswith(("${", "%{"), self.at):
                start = self.at
                self.at += 2
                self.balanced("}")
                out.append(self.text[start : self.at])
            else:
                out.append(c)
                self.at += 1

    def escape(self) -> str:
        e = self.text[self.at + 1 : self.at + 2]
        if e in _ESCAPES:
            self.at += 2
            return _ESCAPES[e]
        digits = {"u": 4, "U": 8}.get(e, 0)
        code = self.text[self.at + 2 : self.at + 2 + digits]
        if digits and re.fullmatch(r"[0-9A-Fa-f]+", code) and len(code) == digits and int(code, 16) < 0x110000:
            self.at += 2 + digits
            return chr(int(code, 16))
        raise self.fail("an unknown escape in a text")

    def token(self) -> None:
        """Skips one token of an expression."""
        c = self.peek()
        if c == '"':
            self.string()
        elif c in "([{":
            self.at += 1
            self.balanced({"(": ")", "[": "]", "{": "}"}[c])
        elif (h := _HEREDOC.match(self.text, self.at)) is not None:
            end = re.compile(r"^[ \t]*" + re.escape(h.group(2)) + r"[ \t]*\r?$", re.M).search(self.text, h.end())
            if end is None:
                raise self.fail("a heredoc does not end")
            self.at = end.end()
        else:
            self.at += 1

    def balanced(self, close: str) -> None:
        """Skips to behind the bracket that closes."""
        while True:
            self.space(newlines=True)
            if self.peek() == "":
                raise self.fail(f'"{close}" is missing')
            if self.peek() == close:
                self.at += 1
                return
            try:
                self.token()
            except RecursionError:
                raise self.fail("brackets are nested too deeply") from None

    def skip(self) -> None:
        """Skips an expression."""
        while True:
            self.space(newlines=False)
            if self.peek() in ("\n", "}", ""):
                return
            self.token()
