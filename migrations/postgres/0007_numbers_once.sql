-- PostgreSQL gives no number twice; see SQLite's migration of this name.
-- What is one person's is found without reading everything.
CREATE INDEX messages_by_destination ON messages (destination_id);
CREATE INDEX alerts_by_destination ON alerts (destination_id);
CREATE INDEX buttons_by_destination ON buttons (destination_id);
