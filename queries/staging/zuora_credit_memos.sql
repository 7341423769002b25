-- Credit memo items: positive amounts that take money back, from the service of the invoice item that they come from.
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  "accountId" AS customer_native_id,
  "account.name" AS customer_native_name,
  "line.sku" AS native_sku,
  "line.productRatePlanChargeId" AS native_product,
  "line.chargeName" AS native_name,
  "line.invoiceItemId" AS origin_line_id,
  CASE WHEN lower("line.processingType") IN ('3', 'tax') THEN 'tax' ELSE 'credit' END AS kind,
  false AS is_proration,
  CASE WHEN reversed OR lower(status) IN ('canceled', 'error', 'reversed') THEN 'void'
       WHEN lower(status) IN ('generating', 'pendingfortax') THEN 'draft'
       ELSE lower(status) END AS status,
  "line.quantity" AS quantity,
  "line.unitPrice" AS unit_price,
  -"line.amountWithoutTax" AS amount,
  currency,
  coalesce("line.serviceStartDate", "memoDate") AS period_start,
  date_trunc('day', "line.serviceEndDate") + INTERVAL '1 day' AS period_end,
  CAST("memoDate" AS DATE) AS invoice_date,
  coalesce("postedDate", arrived_at) AS recorded_at,
  source_row
FROM raw
