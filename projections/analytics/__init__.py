"""A file for each projection; `projections.catalog` finds them."""
