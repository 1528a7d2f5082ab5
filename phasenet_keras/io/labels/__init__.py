"""Labels of every kind brought to their records."""
