-- What was approved and posted, on an invoice or not. The item's date is the first day that it is for; the last one is the billing period's
-- (facts/invoice_line). A change within a period is an item of its own, dated on the day of the change.
-- Autotask has no billing by usage: what is metered is posted as a charge of the contract, as what is sold once is. A charge is for the month that its
-- text states, else for that of its date; facts/billed_line tells from the rest of the book which of the two it is.
WITH item AS (
  SELECT *, "contractChargeID" IS NOT NULL AND coalesce("extendedPrice", CAST(0 AS DECIMAL(38, 18))) >= 0 AS is_charge,
         "configurationItemID" IS NOT NULL
           AND coalesce("contractChargeID", "projectChargeID", "ticketChargeID", "ticketID", "timeEntryID", "expenseItemID", "milestoneID") IS NULL
           AS is_subscription,
         date_trunc('day', coalesce("itemDate", "postedDate", arrived_at)) AS day
  FROM raw
),
dated AS (
  SELECT *, CASE WHEN is_charge THEN period_in_text(coalesce("itemName", description), CAST(day AS DATE), CAST(NULL AS VARCHAR)) END AS stated FROM item
)
SELECT
  nullif("invoiceID", '0') AS invoice_id,
  id AS line_id,
  "companyID" AS customer_native_id,
  CASE
    WHEN "serviceID" IS NOT NULL THEN "serviceID"
    WHEN "serviceBundleID" IS NOT NULL THEN 'bundle:' || "serviceBundleID"
    ELSE 'material:' || "billingCodeID"
  END AS native_sku,
  coalesce("itemName", description) AS native_name,
  CASE
    WHEN coalesce("serviceID", "serviceBundleID") IS NOT NULL THEN 'recurring'
    WHEN is_subscription THEN 'recurring'
    WHEN is_charge THEN 'charge'
    WHEN "extendedPrice" < 0 THEN 'credit'
    ELSE 'one_off'
  END AS kind,
  coalesce("contractServiceAdjustmentID", "contractServiceBundleAdjustmentID") IS NOT NULL AS is_proration,
  CASE
    WHEN coalesce("nonBillable", '0') NOT IN ('0', 'false') THEN 'no_charge'
    WHEN nullif("invoiceID", '0') IS NULL THEN 'not_invoiced'
    ELSE 'posted'
  END AS status,
  quantity,
  rate AS unit_price,
  "extendedPrice" AS amount,
  CASE WHEN is_charge THEN coalesce(stated['from'], date_trunc('month', day)) ELSE day END AS period_start,
  CASE WHEN is_charge THEN coalesce(stated['to'], date_trunc('month', day) + INTERVAL '1 month') END AS period_end,
  CAST(coalesce("postedDate", "itemDate", arrived_at) AS DATE) AS invoice_date,
  nullif("lineItemID", '0') AS group_id,
  CASE
    WHEN "contractServiceID" IS NOT NULL THEN 'service:' || "contractServiceID"
    WHEN "contractServiceBundleID" IS NOT NULL THEN 'bundle:' || "contractServiceBundleID"
    WHEN is_subscription AND coalesce("serviceID", "serviceBundleID") IS NULL THEN 'device:' || "configurationItemID"
  END AS contract_line_id,
  source_row
FROM dated
