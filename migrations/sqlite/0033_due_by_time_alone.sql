-- PostgreSQL's index of what is due is for those alone who ask by time. SQLite counts nothing, and is told by the statements which index to take.
SELECT 1;
