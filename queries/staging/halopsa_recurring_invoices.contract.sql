-- A recurring invoice without a contract is one.
SELECT
  'recurring:' || id AS contract_id,
  'Recurring invoice ' || id AS contract_name,
  client_id AS customer_native_id,
  min(client_name) AS customer_native_name,
  min(currency_code_name) AS currency,
  min(coalesce(billing_period_string, period_string, period)) AS billing_cycle,
  CASE WHEN bool_or(disabled) THEN 'Inactive' ELSE 'Active' END AS status,
  min(startdate) AS effective_from,
  min(date_trunc('day', enddate)) + INTERVAL '1 day' AS effective_to,
  min(source_row) AS source_row
FROM raw
WHERE coalesce(nullif(nullif("line.contract_id", '0'), '-1'), nullif(nullif(contract_id, '0'), '-1')) IS NULL
GROUP BY id, client_id
