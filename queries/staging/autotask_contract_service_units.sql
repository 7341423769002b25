-- How many units of a service a contract has from day to day, and the price of all of them for these days. Ends are last days; a
-- row's last day is given to the next row by facts/contract_period if that begins on it. A period that is over and was never posted is
-- `not_posted`.
SELECT
  "contractID" AS contract_id,
  'unit:' || id AS line_id,
  'dated' AS measure,
  'service:' || "contractServiceID" AS parent_id,
  "serviceID" AS native_sku,
  units AS quantity,
  price AS amount,
  CASE
    WHEN "approveAndPostDate" IS NOT NULL THEN 'posted'
    WHEN date_trunc('day', "endDate") < date_trunc('day', arrived_at) THEN 'not_posted'
    ELSE 'open'
  END AS status,
  date_trunc('day', "startDate") AS effective_from,
  date_trunc('day', "endDate") + INTERVAL '1 day' AS effective_to,
  source_row
FROM raw
