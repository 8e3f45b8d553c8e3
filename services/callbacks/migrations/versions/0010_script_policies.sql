-- A published script says its questions; no other table of the policy book does.
UPDATE policy_versions SET name = 'script-' || name WHERE body ? 'questions' AND name NOT LIKE 'script-%';
