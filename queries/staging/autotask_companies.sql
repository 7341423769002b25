-- The PSA's register of customers. Its currency is a number of the export `currencies`.
SELECT
  id AS native_id,
  "companyName" AS native_name,
  nullif("currencyID", '0') AS currency,
  CASE WHEN "isActive" THEN 'active' WHEN NOT "isActive" THEN 'inactive' END AS status,
  source_row
FROM raw
