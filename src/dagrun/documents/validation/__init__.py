"""Everything that is wrong with a document beyond the shape of its nodes."""
