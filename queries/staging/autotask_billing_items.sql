-- What was approved and posted, on an invoice or not. The item's date is the first day that it is for; the last one is the billing period's
-- (facts/invoice_line). A change within a period is an item of its own, dated on the day of the change.
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
    WHEN "configurationItemID" IS NOT NULL
      AND coalesce("contractChargeID", "projectChargeID", "ticketChargeID", "ticketID", "timeEntryID", "expenseItemID", "milestoneID") IS NULL
      THEN 'recurring'
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
  date_trunc('day', coalesce("itemDate", "postedDate", arrived_at)) AS period_start,
  CAST(coalesce("postedDate", "itemDate", arrived_at) AS DATE) AS invoice_date,
  nullif("lineItemID", '0') AS group_id,
  CASE
    WHEN "contractServiceID" IS NOT NULL THEN 'service:' || "contractServiceID"
    WHEN "contractServiceBundleID" IS NOT NULL THEN 'bundle:' || "contractServiceBundleID"
  END AS contract_line_id,
  source_row
FROM raw
