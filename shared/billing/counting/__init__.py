"""From what vendors count to bill items: which counts feed them, and how many of each are billed."""
