-- Whom a turn concerns is read from the index alone, where vacuum has seen the rows.
DROP INDEX subscriptions_by_target;
CREATE INDEX subscriptions_by_target ON subscriptions (target, kind, destination_id)
    INCLUDE (source, direction, delivery, mention, created_at, threshold, threshold_at);
