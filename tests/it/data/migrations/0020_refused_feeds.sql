UPDATE feeds SET refused = TRUE;
