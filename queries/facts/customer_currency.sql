-- fact: customer_currency
-- grain: native customer id of one system, or no id: any other customer of the system
-- meaning: which currency a customer's money is in where contracts and invoices do not say: by the PSA's register of companies, which
--   names a code or a number of its own; else the PSA's own currency
-- reads: known.company, known.currency
WITH own AS (
  SELECT system, min(currency) AS currency FROM known.currency WHERE is_default GROUP BY system
),
listed AS (
  SELECT system, native_id, min(currency) AS currency FROM known.currency WHERE native_id IS NOT NULL GROUP BY system, native_id
)
SELECT company.system, normalise_id(company.native_id) AS native_id,
       coalesce(min(listed.currency), min(CASE WHEN regexp_like(company.currency, '^[A-Z]{3}$') THEN company.currency END),
                min(own.currency)) AS currency
FROM known.company AS company
LEFT JOIN listed ON company.system = listed.system AND company.currency = listed.native_id
LEFT JOIN own ON company.system = own.system
GROUP BY company.system, normalise_id(company.native_id)
UNION ALL
SELECT system, NULL, currency FROM own
