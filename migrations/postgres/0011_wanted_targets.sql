-- What everybody wants of a kind is looked up with every subscription: by steps from target to target, not row by row.
CREATE INDEX subscriptions_by_kind ON subscriptions (source, kind, target);
CREATE INDEX tokens_in_all ON tokens (source, token_id) WHERE in_all;
