UPDATE token_states SET levels = '{"price":151.4,"at":1795240800000,"sides":[[{"date":1768435200000,"at":141.25},"up"],[{"date":1793664000000,"at":162.5},"down"]]}'
    WHERE kind = 'daily';
UPDATE changes SET crossing = '{"price":151.4,"levels":[{"date":1793664000000,"at":150.0}],"near":{"support":150.0,"resistance":162.5}}' WHERE kind = 'daily';
