UPDATE act_steps SET act = CASE act
    WHEN 'downgraded' THEN 'downgrade' WHEN 'demanded' THEN 'demand'
    WHEN 'demand withdrawn' THEN 'drop_demand' WHEN 'suggested' THEN 'suggest' WHEN 'suggestion adopted' THEN 'adopt'
    WHEN 'linked' THEN 'link' WHEN 'unlinked' THEN 'unlink' WHEN 'complainant contacted' THEN 'contact' ELSE act END
WHERE starts_with(object, 'case/');
