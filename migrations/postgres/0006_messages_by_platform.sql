-- A claim looks at the messages of one platform, and must not wade through those that wait for another.
ALTER TABLE messages ADD COLUMN platform TEXT NOT NULL DEFAULT ''; -- that of its destination
UPDATE messages SET platform = (SELECT d.platform FROM destinations d WHERE d.id = messages.destination_id);
DROP INDEX messages_by_lane;
CREATE INDEX messages_by_platform ON messages (platform, lane, id) WHERE state = 'queued';
