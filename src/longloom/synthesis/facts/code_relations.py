"""What is stated of Python source, and how questions word it.

Classes, functions and constants go by full dotted names (`asyncio.events.Handle`), parameters by
`parameter loop of asyncio.events.Handle.__init__`, so that every mention in a corpus means the same
thing; questions ask for names in that form.
"""

from longloom.synthesis.facts.relation import EntityKind, Relation

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name="class", plural="classes"),
    EntityKind(name="constant", plural="constants"),
    EntityKind(name="function", plural="functions"),
    EntityKind(name="module", plural="modules", is_document=True),
    EntityKind(name="parameter", plural="parameters"),
)

_ONE = "is_functional"
_KEY = "is_key"
_Row = tuple[str, str, str, str, str, str, str]

_ROWS: tuple[_Row, ...] = (
    (
        "calls_imported",
        "function",
        "function",
        "What is the full dotted name of an imported function that {x} calls?",
        "the imported function called by {x}",
        "calling the imported function {v}",
        "",
    ),
    (
        "calls_own",
        "function",
        "function",
        "What is the full dotted name of a function or method of its own module that {x} calls?",
        "the function of its own module called by {x}",
        "calling {v} of the same module",
        "",
    ),
    (
        "class_decorated_by",
        "class",
        "function",
        "What is the full dotted name of the decorator on {x}?",
        "the decorator on {x}",
        "decorated with {v}",
        "",
    ),
    (
        "class_summary",
        "class",
        "text",
        "What is the first line of the docstring of {x}?",
        "the first line of the docstring of {x}",
        'whose docstring begins with the line "{v}"',
        _ONE,
    ),
    (
        "constant_number",
        "constant",
        "number",
        "What number is assigned to {x}?",
        "the number assigned to {x}",
        "with the value {v}",
        _ONE,
    ),
    (
        "constant_text",
        "constant",
        "text",
        "What string is assigned to {x}?",
        "the string assigned to {x}",
        'with the string "{v}" as the value',
        _ONE,
    ),
    (
        "decorated_by",
        "function",
        "function",
        "What is the full dotted name of the decorator on {x}?",
        "the decorator on {x}",
        "decorated with {v}",
        "",
    ),
    (
        "default_name",
        "parameter",
        "text",
        "Which name is the default of {x}, as the signature writes it?",
        "the name that is the default of {x}",
        "with the name {v} as the default",
        _ONE,
    ),
    (
        "default_number",
        "parameter",
        "number",
        "What number is the default of {x}?",
        "the number that is the default of {x}",
        "with the default {v}",
        _ONE,
    ),
    (
        "default_text",
        "parameter",
        "text",
        "What string is the default of {x}?",
        "the string that is the default of {x}",
        'with the string "{v}" as the default',
        _ONE,
    ),
    (
        "defines_class",
        "module",
        "class",
        "What is the full dotted name of a class that {x} defines?",
        "the class defined in {x}",
        "defining the class {v}",
        _KEY,
    ),
    (
        "defines_constant",
        "module",
        "constant",
        "What is the full dotted name of a constant that {x} defines?",
        "the constant defined in {x}",
        "defining the constant {v}",
        _KEY,
    ),
    (
        "defines_function",
        "module",
        "function",
        "What is the full dotted name of a function that {x} defines?",
        "the function defined in {x}",
        "defining the function {v}",
        _KEY,
    ),
    (
        "has_method",
        "class",
        "function",
        "What is the full dotted name of a method that {x} defines?",
        "the method defined in {x}",
        "defining the method {v}",
        _KEY,
    ),
    (
        "has_parameter",
        "function",
        "parameter",
        "Which parameter of {x} has a constant as its default?",
        "the parameter of {x} that has a default",
        "taking the parameter {v}",
        _KEY,
    ),
    (
        "imports",
        "module",
        "module",
        "What is the full dotted name of a module that {x} imports at module level?",
        "the module imported by {x} at module level",
        "importing {v} at module level",
        "",
    ),
    (
        "inherits",
        "class",
        "class",
        "What is the full dotted name of the class that {x} inherits from directly?",
        "the class from which {x} inherits directly",
        "inheriting directly from {v}",
        "",
    ),
    (
        "instantiates",
        "function",
        "class",
        "What is the full dotted name of a class that {x} instantiates?",
        "the class instantiated by {x}",
        "instantiating {v} in the body",
        "",
    ),
    (
        "module_summary",
        "module",
        "text",
        "What is the first line of the docstring of {x}?",
        "the first line of the docstring of {x}",
        'whose docstring begins with the line "{v}"',
        _ONE,
    ),
    (
        "overrides",
        "function",
        "function",
        "What is the full dotted name of the method that {x} overrides?",
        "the method overridden by {x}",
        "overriding {v}",
        _ONE,
    ),
    (
        "raises",
        "function",
        "class",
        "What is the full dotted name of an exception that {x} raises with a raise statement?",
        "the exception raised by {x}",
        "raising {v} in the body",
        "",
    ),
    (
        "returns",
        "function",
        "text",
        "What is the return annotation of {x}?",
        "the return annotation of {x}",
        "annotated to return {v}",
        _ONE,
    ),
    (
        "summary",
        "function",
        "text",
        "What is the first line of the docstring of {x}?",
        "the first line of the docstring of {x}",
        'whose docstring begins with the line "{v}"',
        _ONE,
    ),
)


def _relation(row: _Row) -> Relation:
    name, subject_kind, value_kind, question, noun, clause, functional = row
    return Relation(
        name=f"code.{name}",
        subject_kind=subject_kind,
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=functional == _ONE,
        is_key=functional == _KEY,
    )


RELATIONS: tuple[Relation, ...] = tuple(map(_relation, _ROWS))
