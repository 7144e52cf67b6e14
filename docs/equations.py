"""Equations of docstrings set as mathematics: plain Unicode text becomes MathML, which browsers draw without a script.

The text stays the source. Nothing of it is lost or added, which a test holds for every neuron: only sub- and superscripts move.
"""

import re
from collections.abc import Iterator
from html import escape, unescape

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789−+", strict=True))
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?|[½¼¾])|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)|(?P<prime>['′])"
    r"|(?P<script>[_^])|(?P<word>[^\W\d_](?:[^\W_⁰¹²³⁴⁵⁶⁷⁸⁹½¼¾]|\u0304)*(?:[-_][^\W\d_]{2,})*)|(?P<mark>.)"
)
OPERATORS = set("=·+−-≥>≤<≠∘×/∈±→∗")
INLINE = re.compile(
    r"(?<![\w`])([A-Za-zα-ωΑ-Ω]'?(?:\^\w)?_(?:\{[^}]*\}|[a-z](?![\w]))|[A-Za-zα-ω]+\^(?:\{[^}]*\}|\w(?!\w)))"
)


def block(lines: list[str]) -> str:
    """The HTML of some lines: a row each, in which parts that two spaces separate stand apart and may wrap."""
    rows: list[str] = []
    for line in lines:
        parts = [(part, ' class="note"' * part.startswith("(")) for part in re.split(r"\s{2,}", line.strip())]
        inside = "".join(f"<span{kind}>{mathematics(part)}</span>" for part, kind in parts)
        rows.append(f'<div class="equation" tabindex="0">{inside}</div>')
    return '<div class="equations">' + "".join(rows) + "</div>"


def inline(text: str) -> str:
    """A sentence in which variables with an index, as v_{t-1}, and powers are set as mathematics; words with an underscore stay."""
    return INLINE.sub(lambda found: mathematics(found[1]), text)


def safe(text: str) -> str:
    """A text in which Markdown finds no marks of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("*", r"\*").replace("[", r"\[").replace("_", r"\_")


def mathematics(text: str) -> str:
    """One part of an equation as a <math> element."""
    return f"<math>{_row(list(_tokens(text.replace('`', ''))))}</math>"


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for found in TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "word" and re.fullmatch(r"[^\W\d_]_[^\W\d_]+", found[0]):  # v_min: v with an index
            yield "word", found[0][0]
            yield "script", "_"
            yield "word", found[0][2:]
        else:
            yield kind, found[0]


def _row(tokens: list[tuple[str, str]]) -> str:
    """Tokens as MathML, each with the indices that follow it."""
    out: list[str] = []
    while tokens:
        kind, text = tokens.pop(0)
        if kind == "space":
            before, after = _text(out[-1:]), tokens[0][1] if tokens else "="
            if before and not {before[-1], after[0]} & OPERATORS:
                # a product of two letters stands closer than words do
                out.append(
                    f'<mspace width="{0.15 if len(before) == len(after) == 1 and before.isalpha() else 0.35}em"/>'
                )
            continue
        base = _atom(kind, text)
        below, above = _scripts(tokens)
        out.append(_scripted(base, below, above))
    return "".join(out)


def _text(out: list[str]) -> str:
    return unescape(re.sub(r"<[^>]*>", "", "".join(out)))


def _scripts(tokens: list[tuple[str, str]]) -> tuple[str, str]:
    """The sub- and the superscript that the next tokens are, which are taken off."""
    below, above = "", ""
    while tokens:
        kind, text = tokens[0]
        if kind == "script" and len(tokens) > 1:
            tokens.pop(0)
            inside = _argument(tokens)
            below, above = (below + inside, above) if text == "_" else (below, above + inside)
        elif kind == "raised":
            above += f"<mn>{''.join(RAISED[c] for c in tokens.pop(0)[1])}</mn>"
        elif kind == "prime":
            tokens.pop(0)
            above += "<mo>′</mo>"
        else:
            break
    return below, above


def _argument(tokens: list[tuple[str, str]]) -> str:
    """What an index holds: all between braces, or one token."""
    if tokens[0][1] != "{":
        return _atom(*tokens.pop(0))
    tokens.pop(0)
    inside: list[tuple[str, str]] = []
    depth = 1
    while tokens:
        kind, text = tokens.pop(0)
        depth += {"{": 1, "}": -1}.get(text, 0)
        if not depth:
            break
        # A_{ti} has two indices
        inside += [(kind, letter) for letter in text] if re.fullmatch(r"[tijk]{2}", text) else [(kind, text)]
    return _row(inside)


def _atom(kind: str, text: str) -> str:
    if kind == "number":
        return f"<mn>{text}</mn>"
    if kind == "word":
        return f"<mi>{text}</mi>"
    return f'<mo stretchy="false">{escape("−" if text == "-" else text)}</mo>'


def _scripted(base: str, below: str, above: str) -> str:
    if below and above:
        return f"<msubsup>{base}<mrow>{below}</mrow><mrow>{above}</mrow></msubsup>"
    if below or above:
        name = "msub" if below else "msup"
        return f"<{name}>{base}<mrow>{below or above}</mrow></{name}>"
    return base
