"""What Microsoft exports to partners whom it bills itself: begun, asked after, fetched and stored by the month."""
