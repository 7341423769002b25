-- Product items are invoice lines once they carry an invoice; until then they are posted, not billed.
SELECT
  "invoice.id" AS invoice_id,
  id AS line_id,
  "company.id" AS customer_native_id,
  "company.name" AS customer_native_name,
  coalesce("catalogItem.identifier", "catalogItem.id") AS native_sku,
  description AS native_name,
  CASE WHEN "productClass" = 'Agreement' THEN 'recurring' ELSE 'one_off' END AS kind,
  false AS is_proration,
  CASE
    WHEN "cancelledFlag" THEN 'void'
    WHEN "invoice.id" IS NULL THEN 'not_invoiced'
    WHEN "billableOption" IN ('DoNotBill', 'NoCharge') THEN 'no_charge'
    ELSE 'posted'
  END AS status,
  quantity,
  price AS unit_price,
  exact_product(quantity, price) AS amount,
  "currency.currencyCode" AS currency,
  coalesce("purchaseDate", "invoice.date") AS period_start,
  CAST(coalesce("invoice.date", "purchaseDate") AS DATE) AS invoice_date,
  source_row
FROM raw
