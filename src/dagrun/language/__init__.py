"""The language of `${{ }}`, and where a value may appear in a script."""
