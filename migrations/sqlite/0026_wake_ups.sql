-- On PostgreSQL triggers tell other processes what was written. On SQLite there are none.
SELECT 1;
