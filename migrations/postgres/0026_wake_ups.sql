-- Tells every process that listens what was written, so that nobody waits for their next look (`store::wake_ups`).
CREATE FUNCTION wake_up() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bellwether', TG_ARGV[0]);
    RETURN NULL;
END $$;
CREATE TRIGGER wake_up AFTER INSERT ON changes FOR EACH STATEMENT EXECUTE FUNCTION wake_up('changes');
CREATE TRIGGER wake_up AFTER INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION wake_up('messages');
CREATE TRIGGER wake_up AFTER INSERT ON updates_seen FOR EACH STATEMENT EXECUTE FUNCTION wake_up('updates');
