-- Grades and fundamental classes beside calls.
ALTER TABLE token_states ADD COLUMN pending TEXT; -- another label that the last poll showed: it counts once the next shows it too
ALTER TABLE token_states ADD COLUMN scores TEXT;  -- JSON: what a fundamental grade was made of when its class was last seen
ALTER TABLE changes ADD COLUMN mover TEXT;        -- JSON: the part of it that moved most
