-- Whose birthday it is was found by reading every client each day; nothing asked for dates of birth with their years.
DROP INDEX ix_birth_date;

CREATE INDEX ix_birthday ON clients ((extract(month FROM birth_date) * 100 + extract(day FROM birth_date)))
    WHERE birth_date IS NOT NULL;
