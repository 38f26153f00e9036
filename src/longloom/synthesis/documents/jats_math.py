"""MathML as one line of text: `a/b`, `x_1`, `y^2`."""

from lxml import etree

from longloom.synthesis.documents.safe_xml import Element, attribute, child, local_name, plain_text

_BEFORE_LATER = {
    "mfrac": "/",
    "msub": "_",
    "msup": "^",
    "munder": "_",
    "mover": "^",
    "mtr": " ",
    "mtable": "; ",
}
_SCRIPTS = frozenset(["msubsup", "munderover"])
_LEFT_OUT = frozenset(["annotation", "annotation-xml"])
_ACCENTS = frozenset("\u00af\u02c6\u02dc\u02d9\u2192\u0304\u0302^~_-")


def math_text(math: Element) -> str:
    """Return a formula on one line; TeX, where the article gives it, as it stands."""
    tex = child(math, "semantics", "annotation")
    if tex is not None and "tex" in attribute(tex, "encoding").lower():
        return plain_text(tex)
    pieces: list[str] = []
    open_left_out = 0
    for event, node in etree.iterwalk(math, events=("start", "end")):
        if local_name(node) in _LEFT_OUT:
            open_left_out += 1 if event == "start" else -1
        if open_left_out:
            continue
        if event == "start":
            pieces += [_before(node), _opening(node), " ".join((node.text or "").split())]
        else:
            pieces.append(_closing(node))
    return " ".join("".join(pieces).split())


def _before(node: Element) -> str:
    """Return what stands between a part and the one before it."""
    parent = node.getparent()
    if parent is None or node.getprevious() is None:
        return ""
    name = local_name(parent)
    if name == "mover" and plain_text(node) in _ACCENTS:
        return ""
    if name in _SCRIPTS:
        return "_" if node.getnext() is not None else "^"
    if name == "mfenced":
        return ", "
    return _BEFORE_LATER.get(name, "")


def _opening(node: Element) -> str:
    name = local_name(node)
    if name == "mfenced":
        return attribute(node, "open") or "("
    if name == "msqrt":
        return "sqrt("
    return "(" if _is_grouped(node) else ""


def _closing(node: Element) -> str:
    name = local_name(node)
    if name == "mfenced":
        return attribute(node, "close") or ")"
    return ")" if name == "msqrt" or _is_grouped(node) else ""


def _is_grouped(node: Element) -> bool:
    """Whether a row of several parts stands in a fraction or a script."""
    parent = node.getparent()
    if parent is None or local_name(node) != "mrow" or len(node) < 2:
        return False
    name = local_name(parent)
    is_base = node.getprevious() is None and name != "mfrac"
    return name in (*_SCRIPTS, "mfrac", "msub", "msup") and not is_base
