"""What a case gave: records, their file format, and the tables read from them; no torch."""
