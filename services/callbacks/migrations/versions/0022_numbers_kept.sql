COMMENT ON COLUMN callers.number IS 'a keyed token of the number, forgotten with the next call that is heard once the task is over';
