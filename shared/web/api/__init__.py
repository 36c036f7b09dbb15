"""The JSON routes below /console/api: the same flows as the pages, for programs; a module for each group of them."""
