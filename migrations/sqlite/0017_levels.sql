-- Levels of the price, told when it crosses them.
ALTER TABLE token_states ADD COLUMN levels TEXT; -- JSON: the price when it was last seen, and on which side of each level it was
ALTER TABLE changes ADD COLUMN crossing TEXT;    -- JSON: the levels that the price crossed, and those that come next
