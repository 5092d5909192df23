-- The last complete polls of a kind, which confirm turns, among many.
CREATE INDEX polls_complete ON polls (source, feed, started_at) WHERE complete;
