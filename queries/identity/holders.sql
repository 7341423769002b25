-- identity: holders
-- grain: system x customer
-- meaning: which customers have an id in which system already
-- reads: facts.customer_alias
SELECT DISTINCT system, customer_key AS key FROM facts.customer_alias ORDER BY 1, 2
