"""Four nights at a made-up MSP: what TrueUp finds, what it does about it, and the proof."""
