"""One file for each score, or for a few that share their formula. Every file here is found by itself."""
