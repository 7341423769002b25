-- Contract headers. The last day of a contract still counts.
SELECT
  id AS contract_id,
  "contractName" AS contract_name,
  "companyID" AS customer_native_id,
  nullif(nullif("billToCompanyID", '0'), "companyID") AS bill_to_native_id,
  CASE lower("contractPeriodType")
    WHEN '2' THEN 'Monthly' WHEN 'm' THEN 'Monthly'
    WHEN '3' THEN 'Quarterly' WHEN 'q' THEN 'Quarterly'
    WHEN '4' THEN 'Semi-Annual' WHEN 's' THEN 'Semi-Annual'
    WHEN '5' THEN 'Yearly' WHEN 'y' THEN 'Yearly'
    ELSE "contractPeriodType" END AS billing_cycle,
  status,
  date_trunc('day', "startDate") AS effective_from,
  date_trunc('day', "endDate") + INTERVAL '1 day' AS effective_to,
  source_row
FROM raw
