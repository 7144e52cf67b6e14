"""Records say what one case gave in one process: their file format, and tables read from them. Nothing here imports torch."""
