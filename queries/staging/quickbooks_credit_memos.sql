-- Credit memos: positive amounts that take money back; a discount within one takes less back.
-- A line is for the period that its text states, if that holds the line's date.
WITH ordered AS (
  SELECT *, min(day_order_in_text("line.Description")) OVER (PARTITION BY "Id") AS first_order,
         max(day_order_in_text("line.Description")) OVER (PARTITION BY "Id") AS last_order
  FROM raw
),
worded AS (
  SELECT *, period_in_text("line.Description", CAST("TxnDate" AS DATE), CASE WHEN first_order = last_order THEN first_order END) AS stated FROM ordered
),
dated AS (
  -- A date of its own counts; a stated period that holds it says how long it is.
  SELECT *, CASE WHEN "line.SalesItemLineDetail.ServiceDate" IS NULL
                   OR ("line.SalesItemLineDetail.ServiceDate" >= stated['from'] AND "line.SalesItemLineDetail.ServiceDate" < stated['to'])
                 THEN stated END AS period
  FROM worded
)
SELECT
  'CreditMemo ' || "Id" AS invoice_id,
  coalesce("line.Id", "line.DetailType" || coalesce(' ' || "line.TaxLineDetail.TaxRateRef.value", '')) AS line_id,
  "CustomerRef.value" AS customer_native_id,
  "CustomerRef.name" AS customer_native_name,
  CASE WHEN "line.DetailType" = 'DiscountLineDetail' THEN 'discount:' || coalesce("line.DiscountLineDetail.DiscountAccountRef.value", '')
       ELSE coalesce("line.SalesItemLineDetail.ItemRef.value", "line.GroupLineDetail.GroupItemRef.value") END AS native_sku,
  coalesce("line.SalesItemLineDetail.ItemRef.name", "line.GroupLineDetail.GroupItemRef.name", "line.Description") AS native_name,
  CASE WHEN "line.DetailType" = 'TaxLineDetail' THEN 'tax'
       WHEN "line.DetailType" IN ('SubTotalLineDetail', 'DescriptionOnly') THEN 'memo'
       WHEN "line.DetailType" = 'GroupLineDetail' AND "line.GroupLineDetail.Line" IS NOT NULL THEN 'memo'
       ELSE 'credit' END AS kind,
  false AS is_proration,
  CASE WHEN "PrivateNote" LIKE 'Voided%' AND "TotalAmt" = 0 THEN 'voided' ELSE 'issued' END AS status,
  coalesce("line.SalesItemLineDetail.Qty", "line.GroupLineDetail.Quantity") AS quantity,
  "line.SalesItemLineDetail.UnitPrice" AS unit_price,
  CASE WHEN "line.DetailType" = 'DiscountLineDetail' THEN "line.Amount"
       WHEN "line.DetailType" IN ('DescriptionOnly', 'SubTotalLineDetail', 'GroupLineDetail') THEN -coalesce("line.Amount", CAST(0 AS DECIMAL(38, 18)))
       ELSE -"line.Amount" END AS amount,
  "CurrencyRef.value" AS currency,
  coalesce(period['from'], "line.SalesItemLineDetail.ServiceDate", "TxnDate") AS period_start,
  period['to'] AS period_end,
  CAST("TxnDate" AS DATE) AS invoice_date,
  coalesce("MetaData.CreateTime", arrived_at) AS recorded_at,
  source_row
FROM dated
