-- The chat was told that this call is unstable, and not yet that it has settled.
ALTER TABLE told ADD COLUMN unstable BOOLEAN NOT NULL DEFAULT FALSE;
