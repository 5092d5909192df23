-- A correction is an edit of the message that was wrong, or a reply to it.
ALTER TABLE messages ADD COLUMN follows TEXT; -- what the platform calls that message
ALTER TABLE messages ADD COLUMN edits BOOLEAN NOT NULL DEFAULT FALSE; -- it is edited, as long as the platform lets that be
