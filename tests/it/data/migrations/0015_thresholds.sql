UPDATE subscriptions SET threshold = 'above:70', threshold_at = created_at + 1000 WHERE kind = 'daily';
UPDATE token_states SET passed = '{"above:70":null,"below:90.5":1795251780000}' WHERE kind = 'daily';
