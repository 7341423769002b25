-- Invoice items. Repairs and adjustments are negative and name the item that they take money off; movements of the account's balance are memos.
SELECT
  "invoiceId" AS invoice_id,
  "line.invoiceItemId" AS line_id,
  "accountId" AS customer_native_id,
  coalesce("line.usageName", "line.planName") AS native_sku,
  "line.productName" AS native_product,
  "line.description" AS native_name,
  "line.linkedInvoiceItemId" AS origin_line_id,
  CASE WHEN "line.itemType" IN ('RECURRING', 'REPAIR_ADJ') THEN 'recurring'
       WHEN "line.itemType" = 'USAGE' THEN 'usage'
       WHEN "line.itemType" IN ('FIXED', 'EXTERNAL_CHARGE') THEN 'one_off'
       WHEN "line.itemType" = 'ITEM_ADJ' THEN 'credit'
       WHEN "line.itemType" = 'TAX' THEN 'tax'
       ELSE 'memo' END AS kind,
  "line.itemType" = 'REPAIR_ADJ' AS is_proration,
  lower(status) AS status,
  "line.quantity" AS quantity,
  "line.rate" AS unit_price,
  "line.amount" AS amount,
  currency,
  coalesce("line.startDate", "invoiceDate") AS period_start,
  CASE WHEN "line.itemType" <> 'ITEM_ADJ' AND "line.endDate" > "line.startDate" THEN "line.endDate" END AS period_end,
  CAST("invoiceDate" AS DATE) AS invoice_date,
  source_row
FROM raw
