INSERT INTO uploads (platform, picture, name, uploaded_at) VALUES ('telegram', '00ff', 'AgACAgIAAxkDAAI', 1795000000000);
