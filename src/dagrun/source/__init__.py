"""Documents as people wrote them: YAML to plain data, the place of every value, and findings shown at their place."""

from dagrun.source.document import Source
from dagrun.source.dumping import dump
from dagrun.source.numbers import changed_numbers
from dagrun.source.rendering import render
from dagrun.source.text import DocumentError
from dagrun.source.values import Finding, Limits, Place

__all__ = ["DocumentError", "Finding", "Limits", "Place", "Source", "changed_numbers", "dump", "render"]
