-- Product items are invoice lines once they carry an invoice; until then they are posted, not billed. What was cancelled of an item is
-- not billed: an item cancelled as a whole is void. On a credit memo an item takes back, whichever sign it has.
-- An item of an agreement is for the period that its description states, if that holds the item's date.
WITH item AS (
  SELECT *, CASE WHEN "productClass" = 'Agreement'
                 THEN period_in_text(description, CAST(coalesce("invoice.date", "purchaseDate") AS DATE), CAST(NULL AS VARCHAR)) END AS stated,
         CASE WHEN "cancelledFlag" AND "quantityCancelled" IS NULL THEN CAST(0 AS DECIMAL(38, 18))
                 ELSE CAST(quantity - coalesce("quantityCancelled", CAST(0 AS DECIMAL(38, 18))) AS DECIMAL(38, 18)) END AS kept
  FROM raw
)
SELECT
  "invoice.id" AS invoice_id,
  id AS line_id,
  "company.id" AS customer_native_id,
  "company.name" AS customer_native_name,
  coalesce("catalogItem.identifier", "catalogItem.id") AS native_sku,
  description AS native_name,
  CASE WHEN "invoice.billingType" = 'CreditMemo' THEN 'credit' WHEN "productClass" = 'Agreement' THEN 'recurring' ELSE 'one_off' END AS kind,
  false AS is_proration,
  CASE
    WHEN kept = 0 AND quantity <> 0 THEN 'void'
    WHEN "invoice.id" IS NULL THEN 'not_invoiced'
    WHEN "billableOption" IN ('DoNotBill', 'NoCharge') THEN 'no_charge'
    ELSE 'posted'
  END AS status,
  CAST(CASE WHEN kept = 0 THEN quantity ELSE kept END AS DECIMAL(38, 18)) AS quantity,
  price AS unit_price,
  CASE WHEN "invoice.billingType" = 'CreditMemo' THEN -abs(exact_product(kept, price))
       ELSE exact_product(CAST(CASE WHEN kept = 0 THEN quantity ELSE kept END AS DECIMAL(38, 18)), price) END AS amount,
  "currency.currencyCode" AS currency,
  coalesce(CASE WHEN "purchaseDate" IS NULL OR ("purchaseDate" >= stated['from'] AND "purchaseDate" < stated['to']) THEN stated['from'] END,
           "purchaseDate", "invoice.date") AS period_start,
  CASE WHEN "purchaseDate" IS NULL OR ("purchaseDate" >= stated['from'] AND "purchaseDate" < stated['to']) THEN stated['to'] END AS period_end,
  CAST(coalesce("invoice.date", "purchaseDate") AS DATE) AS invoice_date,
  source_row
FROM item
