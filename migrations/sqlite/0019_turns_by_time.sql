-- How often a call turned of late: asked for all that is composed.
CREATE INDEX changes_turns ON changes (source, kind, token_id, detected_at) WHERE nature = 'turned';
