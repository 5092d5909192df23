UPDATE tokens SET in_all = TRUE WHERE token_id = (SELECT MIN(token_id) FROM tokens);
