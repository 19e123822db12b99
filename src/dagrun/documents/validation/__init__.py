"""The checks of a document beyond the form of its nodes."""
