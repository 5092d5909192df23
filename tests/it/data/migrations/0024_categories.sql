UPDATE tokens SET category = 'Layer 1 (L1)' WHERE token_id = (SELECT MIN(token_id) FROM tokens);
