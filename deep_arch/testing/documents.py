"""Documents whose code is run, and the values in its comments compared."""

from __future__ import annotations

import ast
from typing import Any


def shown(code: str, names: dict[str, Any], file: str) -> list[tuple[str, str, str]]:
    """Run a block of code, and return each expression that has a comment, the comment, and the value.

    Args:
        code: the block.
        names: what it finds, and where it leaves what it defines.
        file: the document, for tracebacks.

    Example:
        >>> shown("n = 2\\nn + 1  # 3", {}, "page.md")
        [('n + 1', '3', '3')]
    """
    found: list[tuple[str, str, str]] = []
    lines = code.splitlines()
    for statement in ast.parse(code).body:
        comment = lines[(statement.end_lineno or 0) - 1][statement.end_col_offset or 0 :].strip().removeprefix("# ")
        if not isinstance(statement, ast.Expr) or not comment:
            exec(compile(ast.Module([statement], []), file, "exec", dont_inherit=True), names)
            continue
        value = eval(compile(ast.Expression(statement.value), file, "eval", dont_inherit=True), names)
        found.append((ast.unparse(statement), comment, repr(value)))
    return found
