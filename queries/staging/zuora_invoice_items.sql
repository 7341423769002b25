-- Invoice items of the data source export. A discount counts for the item that it is applied to, without a quantity of its own; the
-- last day of service is part of the period.
SELECT
  "Invoice: ID" AS invoice_id,
  "Invoice Item: ID" AS line_id,
  "Account: ID" AS customer_native_id,
  "Account: Name" AS customer_native_name,
  "Invoice Item: SKU" AS native_sku,
  "Product Rate Plan Charge: ID" AS native_product,
  "Invoice Item: Charge Name" AS native_name,
  "Invoice Item: Applied To Invoice Item Id" AS origin_line_id,
  CASE WHEN lower("Invoice Item: Processing Type") IN ('3', 'tax') THEN 'tax'
       WHEN lower("Invoice Item: Processing Type") IN ('2', 'prepayment') THEN 'one_off'
       WHEN lower("Invoice Item: Processing Type") IN ('1', 'discount') THEN 'recurring'
       WHEN lower("Rate Plan Charge: Charge Type") = 'onetime' THEN 'one_off'
       WHEN lower("Rate Plan Charge: Charge Type") = 'usage' THEN 'usage'
       ELSE 'recurring' END AS kind,
  false AS is_proration,
  CASE WHEN lower("Invoice: Status") IN ('canceled', 'error') THEN 'void'
       WHEN lower("Invoice: Status") IN ('generating', 'pendingfortax') THEN 'draft'
       ELSE lower("Invoice: Status") END AS status,
  CASE WHEN lower("Invoice Item: Processing Type") IN ('1', 'discount') THEN NULL ELSE "Invoice Item: Quantity" END AS quantity,
  CASE WHEN lower("Invoice Item: Processing Type") IN ('1', 'discount') THEN NULL ELSE "Invoice Item: Unit Price" END AS unit_price,
  "Invoice Item: Charge Amount" AS amount,
  "Account: Currency" AS currency,
  coalesce("Invoice Item: Service Start Date", "Invoice: Invoice Date") AS period_start,
  date_trunc('day', "Invoice Item: Service End Date") + INTERVAL '1 day' AS period_end,
  CAST("Invoice: Invoice Date" AS DATE) AS invoice_date,
  coalesce("Invoice: Posted Date", arrived_at) AS recorded_at,
  source_row
FROM raw
