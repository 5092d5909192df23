-- When somebody last changed what decides about its alerts: what was decided to wait at that moment is looked at again.
ALTER TABLE destinations ADD COLUMN changed_at BIGINT;
CREATE INDEX destinations_changed ON destinations (changed_at) WHERE changed_at IS NOT NULL;
