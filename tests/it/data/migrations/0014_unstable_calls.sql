UPDATE told SET unstable = TRUE;
