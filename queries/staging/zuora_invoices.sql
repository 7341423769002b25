-- Invoice items of the API. A discount counts for the item that it is applied to, without a quantity of its own; the last day of service is
-- part of the period.
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  "accountId" AS customer_native_id,
  "account.name" AS customer_native_name,
  "line.sKU" AS native_sku,
  "line.productRatePlanChargeId" AS native_product,
  "line.chargeName" AS native_name,
  "line.appliedToInvoiceItemId" AS origin_line_id,
  CASE WHEN lower("line.processingType") IN ('3', 'tax') THEN 'tax'
       WHEN lower("line.processingType") IN ('2', 'prepayment') THEN 'one_off'
       ELSE 'recurring' END AS kind,
  false AS is_proration,
  CASE WHEN lower(status) IN ('canceled', 'error') THEN 'void'
       WHEN lower(status) IN ('generating', 'pendingfortax') THEN 'draft'
       ELSE lower(status) END AS status,
  CASE WHEN lower("line.processingType") IN ('1', 'discount') THEN NULL ELSE "line.quantity" END AS quantity,
  CASE WHEN lower("line.processingType") IN ('1', 'discount') THEN NULL ELSE "line.unitPrice" END AS unit_price,
  "line.chargeAmount" AS amount,
  currency,
  coalesce("line.serviceStartDate", "invoiceDate") AS period_start,
  date_trunc('day', "line.serviceEndDate") + INTERVAL '1 day' AS period_end,
  CAST("invoiceDate" AS DATE) AS invoice_date,
  coalesce("postedDate", arrived_at) AS recorded_at,
  source_row
FROM raw
