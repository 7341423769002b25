-- fact: customer_alias
-- grain: one native customer id of one system, in one validity
-- meaning: which customer an id means: by the crosswalk, else the PSA's own register of companies
-- reads: known.customer_map, known.company
WITH mapped AS (
  SELECT system, normalise_id(native_id) AS native_id, customer_key, customer_name,
         CAST(valid_from AS DATE) AS valid_from, CAST(valid_to AS DATE) AS valid_to
  FROM known.customer_map
),
company AS (
  SELECT system, native_id AS own_id, normalise_id(native_id) AS native_id, native_identifier,
         normalise_id(native_identifier) AS identifier, native_name
  FROM known.company
),
-- A crosswalk may name a company by its number or by its identifier; both then mean the same customer.
keyed AS (
  SELECT company.system, company.native_id, company.identifier,
         coalesce(by_id.customer_key, by_identifier.customer_key,
                  company.system || ':' || coalesce(company.native_identifier, company.own_id)) AS customer_key,
         coalesce(by_id.customer_name, by_identifier.customer_name, company.native_name) AS customer_name
  FROM company
  LEFT JOIN mapped AS by_id ON company.system = by_id.system AND company.native_id = by_id.native_id
  LEFT JOIN mapped AS by_identifier ON company.system = by_identifier.system AND company.identifier = by_identifier.native_id
),
named AS (
  SELECT system, native_id, customer_key, customer_name FROM keyed
  UNION ALL
  SELECT system, identifier, customer_key, customer_name FROM keyed
),
alias AS (
  SELECT system, native_id, customer_key, customer_name, valid_from, valid_to FROM mapped
  UNION ALL
  SELECT named.system, named.native_id, named.customer_key, named.customer_name, CAST(NULL AS DATE), CAST(NULL AS DATE)
  FROM named LEFT ANTI JOIN mapped ON named.system = mapped.system AND named.native_id = mapped.native_id
),
-- Overlapping validities would count money twice: a row holds until the next one of the same id begins.
chosen AS (
  SELECT system, native_id, min(customer_key) AS customer_key, min(customer_name) AS customer_name, valid_from, valid_to
  FROM alias
  WHERE native_id IS NOT NULL AND customer_key IS NOT NULL
  GROUP BY system, native_id, valid_from, valid_to
)
SELECT system, native_id, customer_key, customer_name, valid_from,
       least(valid_to, lead(valid_from) OVER (
         PARTITION BY system, native_id ORDER BY coalesce(valid_from, DATE '0001-01-01'), coalesce(valid_to, DATE '9999-12-31'))) AS valid_to
FROM chosen
