-- What weekly digests look back on is kept new once a minute, whatever else people subscribed to.
CREATE INDEX subscriptions_weekly ON subscriptions (kind) WHERE delivery = 'digest-weekly';
