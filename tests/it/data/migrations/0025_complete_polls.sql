UPDATE polls SET complete = TRUE WHERE id = (SELECT MIN(id) FROM polls);
