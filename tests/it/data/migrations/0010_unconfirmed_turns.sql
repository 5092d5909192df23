UPDATE feeds SET unconfirmed = '{"since":1795000000000,"turns":{"3375":"bearish"}}' WHERE feed = 'daily';
