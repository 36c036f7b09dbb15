"""The flows: start a run, work a lane, sync one company, apply a plan."""
