-- Turns of most of the market at once wait for a second answer: JSON, none where none wait.
ALTER TABLE feeds ADD COLUMN unconfirmed TEXT;
