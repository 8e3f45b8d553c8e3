COMMENT ON COLUMN drifts.cause IS 'level_lowered, assessment_expired, class_raised, professional_ended, trade_cancelled, permission_ended, off_shelf';
