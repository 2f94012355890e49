"""Whatever arrives without requirements."""
