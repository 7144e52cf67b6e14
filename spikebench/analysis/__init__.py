"""What records say: paired ratios, verdicts, scaling, noise, the assessment of claims; it never measures."""
