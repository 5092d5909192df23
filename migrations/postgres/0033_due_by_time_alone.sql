-- What waits for one destination is found by its own index. PostgreSQL would rather go through all of this one, where it had counted while nothing
-- waited: it is there for those alone who ask by time.
CREATE INDEX alerts_due_by_time ON alerts (release_at, destination_id) WHERE state = 'pending' AND release_at IS NOT NULL;
DROP INDEX alerts_due;
ALTER INDEX alerts_due_by_time RENAME TO alerts_due;
