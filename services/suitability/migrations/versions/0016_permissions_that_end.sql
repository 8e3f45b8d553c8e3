ALTER TABLE permissions RENAME COLUMN granted_at TO at;
ALTER TABLE permissions ADD COLUMN held boolean NOT NULL DEFAULT true;
ALTER TABLE permissions ALTER COLUMN held DROP DEFAULT;
COMMENT ON COLUMN permissions.held IS 'granted; else it ended';
ALTER TABLE permissions DROP CONSTRAINT pk_permissions;
ALTER TABLE permissions ADD CONSTRAINT pk_permissions PRIMARY KEY (client_id, permission, at, held);
COMMENT ON COLUMN due.product IS 'whose holders are matched again, without a cause whose buys are judged; with a client that holding alone; with neither the day''s registers alone';
