"""The pure core: counts in, plan out. Standard library only; no I/O, no clock, no imports from the other rooms."""
