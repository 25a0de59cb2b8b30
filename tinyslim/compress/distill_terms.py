"""From a table ``[[strategies.NAME.terms]]`` to a term of a distillation loss, and back."""

from __future__ import annotations

from dataclasses import MISSING, fields

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from tinyslim.distill import TERMS, Term

from .checking import nearest


def term_from(value) -> Term:
    """The term that a table describes; a term made in Python is taken as it is.

    Raises
    ------
    pydantic.ValidationError
        With an entry for each key that is unknown or missing, or what the term's class says of its values.
    """
    if isinstance(value, Term):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"must be a table with a `class`, one of {', '.join(TERMS)}")
    values = dict(value)
    kind = values.pop("class", None)
    if kind not in TERMS:
        missing = f"is missing; there are {', '.join(TERMS)}"
        text = missing if kind is None else f"is unknown{nearest(str(kind), TERMS)}"
        raise ValidationError.from_exception_data("term", [problem("class", kind, text)])
    known = {field.name: field for field in fields(TERMS[kind])}
    problems = [
        problem(key, value, f"is unknown{nearest(str(key), known)}")
        for key, value in values.items()
        if key not in known
    ] + [
        InitErrorDetails(type="missing", loc=(key,), input=values)
        for key, field in known.items()
        if field.default is MISSING and key not in values
    ]
    if problems:
        raise ValidationError.from_exception_data(kind, problems)
    try:
        return TERMS[kind](**values)
    except TypeError as error:
        raise ValueError(str(error)) from None


def problem(key: str, value, text: str) -> InitErrorDetails:
    """An entry of a ValidationError: what is wrong with the value of one key."""
    return InitErrorDetails(type=PydanticCustomError("term", "{text}", {"text": text}), loc=(key,), input=value)


def term_to_table(term: Term) -> dict:
    """The table that `term_from` makes `term` of again, every default written out."""
    values = {field.name: getattr(term, field.name) for field in fields(term)}
    return {"class": type(term).__name__, **{key: value for key, value in values.items() if value is not None}}
