CREATE UNIQUE INDEX uq_bonuses_suggestion ON bonuses (item) WHERE item LIKE 'suggestion/%';
