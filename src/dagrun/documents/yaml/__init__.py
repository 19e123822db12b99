"""YAML documents: plain data, the place of every value, and findings shown with their place."""

from dagrun.documents.yaml.document import Source
from dagrun.documents.yaml.dumping import dump
from dagrun.documents.yaml.numbers import changed_numbers
from dagrun.documents.yaml.rendering import render
from dagrun.documents.yaml.text import DocumentError
from dagrun.documents.yaml.values import Finding, Limits, Place

__all__ = ["DocumentError", "Finding", "Limits", "Place", "Source", "changed_numbers", "dump", "render"]
