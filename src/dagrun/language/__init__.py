"""The language of `${{ }}`, and values in scripts."""
