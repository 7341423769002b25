-- Headers of invoices: when they were written, and whether they still count.
SELECT
  id AS invoice_id,
  "invoiceNumber" AS invoice_number,
  "company.id" AS customer_native_id,
  "company.name" AS customer_native_name,
  CASE WHEN "type" = 'CreditMemo' THEN 'credit' ELSE 'invoice' END AS kind,
  CASE WHEN lower("status.name") LIKE '%void%' THEN 'void' ELSE lower("status.name") END AS status,
  total,
  "currency.currencyCode" AS currency,
  CAST(date AS DATE) AS invoice_date,
  source_row
FROM raw
