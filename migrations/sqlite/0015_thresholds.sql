-- Lines that subscribers drew (subscriptions.threshold), told when the number beside a grade or class crosses them.
ALTER TABLE subscriptions ADD COLUMN threshold_at BIGINT; -- since when it is this line; none: since the subscription
ALTER TABLE token_states ADD COLUMN passed TEXT;          -- JSON: the lines that the number has passed and not left, each with since when it has been back
CREATE INDEX subscriptions_by_threshold ON subscriptions (source, kind, target, threshold) WHERE threshold IS NOT NULL;
