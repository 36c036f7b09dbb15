"""People are told: what is due is composed, stored, then sent."""
