-- Invoice lines without their tax. What a line without an item bought is told by its account. No field says for which days a line is: the
-- period that its text states is, else it belongs to the invoice's date. A line of a repeating invoice, or for a stated period, recurs;
-- of any other nothing says whether it does (`sale`).
WITH ordered AS (
  SELECT *, min(day_order_in_text("line.Description")) OVER (PARTITION BY "InvoiceID") AS first_order,
         max(day_order_in_text("line.Description")) OVER (PARTITION BY "InvoiceID") AS last_order
  FROM raw
),
worded AS (
  SELECT *, period_in_text("line.Description", CAST(coalesce("DateString", "Date", "UpdatedDateUTC", arrived_at) AS DATE), CASE WHEN first_order = last_order THEN first_order END) AS stated FROM ordered
)
SELECT
  "InvoiceID" AS invoice_id,
  "line.LineItemID" AS line_id,
  "Contact.ContactID" AS customer_native_id,
  "Contact.Name" AS customer_native_name,
  coalesce("line.ItemCode", 'account:' || "line.AccountCode") AS native_sku,
  "line.Item.ItemID" AS native_product,
  coalesce("line.Item.Name", "line.Description") AS native_name,
  CASE WHEN upper("Type") <> 'ACCREC' THEN 'purchase'
       WHEN "line.LineAmount" IS NULL AND "line.UnitAmount" IS NULL THEN 'memo'
       WHEN coalesce("line.RepeatingInvoiceID", "RepeatingInvoiceID") IS NOT NULL OR stated IS NOT NULL THEN 'recurring'
       ELSE 'sale' END AS kind,
  false AS is_proration,
  CASE WHEN upper("Status") IN ('DRAFT', 'SUBMITTED') THEN 'draft' ELSE lower("Status") END AS status,
  "line.Quantity" AS quantity,
  CASE WHEN "LineAmountTypes" = 'Inclusive' THEN NULL ELSE "line.UnitAmount" END AS unit_price,
  CASE WHEN "line.LineAmount" IS NULL AND "line.UnitAmount" IS NULL THEN CAST(0 AS DECIMAL(38, 18))
       WHEN "LineAmountTypes" = 'Inclusive' THEN "line.LineAmount" - coalesce("line.TaxAmount", CAST(0 AS DECIMAL(38, 18)))
       ELSE "line.LineAmount" END AS amount,
  "CurrencyCode" AS currency,
  coalesce(stated['from'], "DateString", "Date", "UpdatedDateUTC", arrived_at) AS period_start,
  stated['to'] AS period_end,
  CAST(coalesce("DateString", "Date", "UpdatedDateUTC", arrived_at) AS DATE) AS invoice_date,
  coalesce("UpdatedDateUTC", arrived_at) AS recorded_at,
  source_row
FROM worded
