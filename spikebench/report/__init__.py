"""Records and analyses as pages: HTML, the page of a claim, the page of a profile, other formats."""
