"""Judging curve artifacts of anybody against the format (docs/format.md section 10)."""
