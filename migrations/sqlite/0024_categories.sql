-- The category of a token, as its source groups them: what its scorecard falls back on.

ALTER TABLE tokens ADD COLUMN category TEXT;
