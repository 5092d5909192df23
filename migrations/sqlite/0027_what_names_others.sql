-- What is removed is looked for where others may name it: a change names its poll; states are gone through by token.
CREATE INDEX changes_by_poll ON changes (poll_id);
CREATE INDEX token_states_by_token ON token_states (token_id);
