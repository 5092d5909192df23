UPDATE destinations SET settings = '{"max_per_hour":10,"cooldown_minutes":0,"timezone":"Europe/Berlin","quiet_hours":"22:00-07:00"}' WHERE chat = '123';
