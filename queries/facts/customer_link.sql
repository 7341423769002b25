-- fact: customer_link
-- grain: one native customer id of one system that an export ties to customers
-- meaning: customers by links that exports carry, read in both directions: ids that match. An id tied to several customers (`customers` > 1)
--   is ambiguous and means nobody, and one that two entries of one register name (a tenant that two companies share) ties neither of them to
--   whom it means. `domain` links are evidence for suggestions only. A link without a system (`external`) names
--   a customer's key or its identifier in the PSA; bare numbers, which systems count alike, match keys alone
-- reads: known.customer_link, known.company, facts.customer_register
WITH stated AS (
  SELECT DISTINCT system, normalise_id(native_id) AS native_id, coalesce(nullif(lower(trim(other_system)), ''), 'external') AS other_system,
         normalise_id(other_id) AS other_id
  FROM known.customer_link
  WHERE trim(native_id) <> '' AND trim(other_id) <> '' AND coalesce(lower(trim(other_system)), '') <> 'domain'
),
shared AS (
  SELECT system, other_system, other_id FROM stated GROUP BY system, other_system, other_id HAVING count(DISTINCT native_id) > 1
),
edge AS (
  SELECT stated.system, stated.native_id, stated.other_system, stated.other_id
  FROM stated
  LEFT ANTI JOIN shared
    ON stated.system = shared.system AND stated.other_system = shared.other_system AND stated.other_id = shared.other_id
  WHERE stated.other_system <> 'external'
  UNION
  SELECT other_system, other_id, system, native_id FROM stated WHERE other_system <> 'external'
),
tie AS (
  SELECT edge.system, edge.native_id, register.customer_key, register.customer_name, register.is_own
  FROM edge
  JOIN facts.customer_register AS register ON edge.other_system = register.system AND edge.other_id = register.native_id
  UNION
  SELECT stated.system, stated.native_id, register.customer_key, register.customer_name, register.is_own
  FROM stated
  JOIN facts.customer_register AS register
    ON stated.other_system = 'external' AND stated.other_id = normalise_id(register.customer_key) AND stated.system <> register.system
  UNION
  SELECT stated.system, stated.native_id, register.customer_key, register.customer_name, register.is_own
  FROM stated
  JOIN facts.customer_register AS register ON stated.other_system = 'external' AND stated.other_id = register.native_id
  WHERE stated.system <> register.system AND register.system IN (SELECT system FROM known.company)
    AND NOT regexp_like(stated.other_id, '^[0-9]+$')
),
-- A company that only its own PSA knows gives way to a customer of the crosswalk that it is linked with, and of two such companies
-- to the key that comes first; everything tied to it follows.
replaced AS (
  SELECT own_key, min(customer_key) AS customer_key, min(customer_name) AS customer_name
  FROM (
    SELECT register.customer_key AS own_key, tie.customer_key, tie.customer_name
    FROM facts.customer_register AS register
    JOIN tie ON register.system = tie.system AND register.native_id = tie.native_id
    WHERE register.is_own AND (NOT tie.is_own OR tie.customer_key < register.customer_key)
  )
  GROUP BY own_key
  HAVING count(DISTINCT customer_key) = 1
),
settled AS (
  SELECT tie.system, tie.native_id, coalesce(replaced.customer_key, tie.customer_key) AS customer_key,
         coalesce(replaced.customer_name, tie.customer_name) AS customer_name
  FROM tie LEFT JOIN replaced ON tie.customer_key = replaced.own_key
  UNION ALL
  SELECT register.system, register.native_id, replaced.customer_key, replaced.customer_name
  FROM facts.customer_register AS register JOIN replaced ON register.is_own AND register.customer_key = replaced.own_key
)
SELECT system, native_id, min(customer_key) AS customer_key, min(customer_name) AS customer_name, max(customer_key) AS other_key,
       count(DISTINCT customer_key) AS customers
FROM settled
GROUP BY system, native_id
