UPDATE messages SET follows = '9001', edits = TRUE WHERE state = 'queued';
