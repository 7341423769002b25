-- fact: customer_register
-- grain: one native customer id of one system, in one validity
-- meaning: which customer an id means by the crosswalk, else by the PSA's own register of companies (`is_own`: nobody mapped it)
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
-- A crosswalk may name a company by its number or by its identifier; both then mean the same customer, for the same time.
named AS (
  SELECT company.system, company.identifier AS native_id, mapped.customer_key, coalesce(mapped.customer_name, company.native_name) AS customer_name,
         mapped.valid_from, mapped.valid_to, false AS is_own
  FROM company JOIN mapped ON company.system = mapped.system AND company.native_id = mapped.native_id
  UNION ALL
  SELECT company.system, company.native_id, mapped.customer_key, coalesce(mapped.customer_name, company.native_name),
         mapped.valid_from, mapped.valid_to, false
  FROM company JOIN mapped ON company.system = mapped.system AND company.identifier = mapped.native_id
),
own AS (
  SELECT company.system, company.native_id, company.identifier,
         company.system || ':' || coalesce(company.native_identifier, company.own_id) AS customer_key, company.native_name AS customer_name
  FROM company
  LEFT ANTI JOIN mapped ON company.system = mapped.system AND company.native_id = mapped.native_id
),
unmapped AS (
  SELECT own.* FROM own LEFT ANTI JOIN mapped ON own.system = mapped.system AND own.identifier = mapped.native_id
),
alias AS (
  SELECT system, native_id, customer_key, customer_name, valid_from, valid_to, false AS is_own FROM mapped
  UNION ALL
  SELECT named.* FROM named LEFT ANTI JOIN mapped ON named.system = mapped.system AND named.native_id = mapped.native_id
  UNION ALL
  SELECT system, native_id, customer_key, customer_name, CAST(NULL AS DATE), CAST(NULL AS DATE), true FROM unmapped
  UNION ALL
  SELECT system, identifier, customer_key, customer_name, CAST(NULL AS DATE), CAST(NULL AS DATE), true FROM unmapped
),
-- Overlapping validities would count money twice: a row holds until the next one of the same id begins.
chosen AS (
  SELECT system, native_id, min(customer_key) AS customer_key, min(customer_name) AS customer_name, valid_from, valid_to, bool_and(is_own) AS is_own
  FROM alias
  WHERE native_id IS NOT NULL AND customer_key IS NOT NULL
  GROUP BY system, native_id, valid_from, valid_to
)
SELECT system, native_id, customer_key, customer_name, valid_from,
       least(valid_to, lead(valid_from) OVER (
         PARTITION BY system, native_id ORDER BY coalesce(valid_from, DATE '0001-01-01'), coalesce(valid_to, DATE '9999-12-31'))) AS valid_to,
       is_own
FROM chosen
