"""Long chaos: nights whose hosts are killed all the time, compared with the same nights undisturbed."""
