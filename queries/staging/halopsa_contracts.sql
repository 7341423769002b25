-- Contract headers. The end is the last day; a rolling contract goes on.
SELECT
  id AS contract_id,
  coalesce("ref", refextra) AS contract_name,
  client_id AS customer_native_id,
  client_name AS customer_native_name,
  currency_code_name AS currency,
  coalesce(billing_period_string, billingperiod) AS billing_cycle,
  CASE
    WHEN dontinvoice THEN 'DoNotInvoice'
    WHEN expired OR NOT active THEN 'Inactive'
    ELSE coalesce(contract_status, 'Active')
  END AS status,
  start_date AS effective_from,
  CASE WHEN NOT coalesce(rollingcontract, false) THEN date_trunc('day', end_date) + INTERVAL '1 day' END AS effective_to,
  source_row
FROM raw
