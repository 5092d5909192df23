-- A reply or a link names a message by what its platform calls it.
CREATE INDEX messages_by_platform_id ON messages (destination_id, platform_id) WHERE platform_id IS NOT NULL;
-- A poll is a reason to look again at the turns that wait for polls.
CREATE INDEX alerts_unconfirmed ON alerts (change_id) WHERE state = 'pending' AND reason = 'more_polls';
