ALTER TABLE case_words ADD COLUMN codes INTEGER[];
UPDATE case_words SET codes = (
    SELECT coalesce(array_agg(DISTINCT CASE
        WHEN char_length(g) = 2 AND ascii(g) >= 13312 THEN (ascii(g)::bigint << 16 | ascii(right(g, 1)))::bit(32)::int
        ELSE ('x' || left(md5(g), 8))::bit(32)::int END), '{}')
    FROM unnest(grams) g);
ALTER TABLE case_words DROP COLUMN grams;
ALTER TABLE case_words RENAME COLUMN codes TO grams;
ALTER TABLE case_words ALTER COLUMN grams SET NOT NULL;
CREATE INDEX ix_case_words_grams ON case_words USING gin (grams);
