"""Speed as ratios: what was measured against what is allowed, in the same run and on the same machine."""
