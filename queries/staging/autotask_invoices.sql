-- Headers of invoices: the period that their items are for, and whether they still count.
SELECT
  id AS invoice_id,
  "invoiceNumber" AS invoice_number,
  "companyID" AS customer_native_id,
  'invoice' AS kind,
  CASE WHEN "isVoided" THEN 'void' WHEN "paidDate" IS NOT NULL THEN 'paid' ELSE 'issued' END AS status,
  "invoiceTotal" AS total,
  date_trunc('day', "fromDate") AS period_start,
  date_trunc('day', "toDate") + INTERVAL '1 day' AS period_end,
  CAST("invoiceDateTime" AS DATE) AS invoice_date,
  source_row
FROM raw
