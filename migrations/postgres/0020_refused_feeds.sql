-- Whether the source refused a feed when it was last asked: that outlives a restart, which tries it again.
ALTER TABLE feeds ADD COLUMN refused BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE feeds SET refused = stopped;
