UPDATE token_states SET pending = 'Strong Buy', scores = '[88.12345678,70.0,99.0,null,null]' WHERE kind = 'daily';
UPDATE changes SET mover = '{"component":"tokenomics","from":70.0,"to":75.5}' WHERE kind = 'daily';
