-- The PSA's register of customers.
SELECT
  id AS native_id,
  identifier AS native_identifier,
  name AS native_name,
  "currency.currencyCode" AS currency,
  CASE WHEN "deletedFlag" THEN 'deleted' ELSE "status.name" END AS status,
  source_row
FROM raw
