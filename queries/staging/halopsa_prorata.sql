-- Pro-rata rows: changes within a period, charged with the next invoice. What is invoiced stands on that invoice's lines.
SELECT
  'prorata:' || id AS line_id,
  client_id AS customer_native_id,
  coalesce(item_code, _itemid) AS native_sku,
  'Pro rata of line ' || invoicedetailid AS native_name,
  'recurring' AS kind,
  true AS is_proration,
  CASE WHEN isinvoiced THEN 'itemised' WHEN coalesce(isfuturepr, false) THEN 'planned' ELSE 'not_invoiced' END AS status,
  quantity,
  unitprice AS unit_price,
  exact_product(quantity, unitprice) AS amount,
  currency_code_name AS currency,
  date_trunc('day', "date") AS period_start,
  CAST("date" AS DATE) AS invoice_date,
  source_row
FROM raw
