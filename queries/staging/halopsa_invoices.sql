-- Invoice lines in the client's currency, without tax. A credit note takes back, whichever sign its lines have. A recurring invoice that
-- gives back more units than it charges has a negative total too and is none: its lines say what changed.
-- Days are those of the line, else of the invoice, else the period that the line's text states.
WITH texts AS (
  SELECT *, coalesce("line.item_longdescription", "line.item_shortdescription") AS text FROM raw
),
dated AS (
  SELECT *,
         coalesce(nullif(nullif(creditlinkedtoinvoiceid, '0'), '-1') IS NOT NULL, false)
           OR coalesce(total < 0, false)
             AND coalesce(nullif(nullif("line.recurring_invoice_line_id", '0'), '-1'), nullif(nullif("line.recurring_invoice_id", '0'), '-1'),
                          nullif(nullif(recurring_invoice_id, '0'), '-1')) IS NULL AS is_credit,
         date_trunc('day', coalesce("line.startdate", period_start_date)) AS from_day,
         date_trunc('day', CASE WHEN "line.startdate" IS NULL AND "line.enddate" IS NULL THEN period_end_date ELSE "line.enddate" END)
           AS end_day,
         period_in_text(text, CAST(invoice_date AS DATE), CAST(NULL AS VARCHAR)) AS stated,
         coalesce("line.unit_price_converted", "line.unit_price") AS price,
         coalesce("line.net_amount_converted", "line.net_amount",
                  exact_product(exact_product("line.qty_order", coalesce("line.unit_price_converted", "line.unit_price")),
                                exact_quotient(CAST(100 AS DECIMAL(38, 18)) - coalesce("line.discount_perc", CAST(0 AS DECIMAL(38, 18))),
                                               CAST(100 AS DECIMAL(38, 18)))),
                  CASE WHEN "line.isgroupdesc" THEN CAST(0 AS DECIMAL(38, 18)) END) AS net
  FROM texts
)
SELECT
  id AS invoice_id,
  "line.id" AS line_id,
  client_id AS customer_native_id,
  client_name AS customer_native_name,
  coalesce("line.item_code", nullif(nullif("line._itemid", '0'), '-1')) AS native_sku,
  nullif(nullif("line._itemid", '0'), '-1') AS native_product,
  "line.item_shortdescription" AS native_name,
  CASE WHEN is_credit THEN nullif(nullif("line.creditlinkedidid", '0'), '-1') END AS origin_line_id,
  CASE
    WHEN "line.isgroupdesc" THEN 'memo'
    WHEN is_credit THEN 'credit'
    WHEN "line.is_meter" THEN 'usage'
    WHEN "line.onetimecharge" THEN 'one_off'
    WHEN coalesce(nullif(nullif("line.recurring_invoice_line_id", '0'), '-1'), nullif(nullif("line.recurring_invoice_id", '0'), '-1'),
                  nullif(nullif(recurring_invoice_id, '0'), '-1')) IS NOT NULL THEN 'recurring'
    ELSE 'one_off'
  END AS kind,
  false AS is_proration,
  CASE
    WHEN voided THEN 'void'
    WHEN NOT coalesce(posted, true) AND dateposted IS NULL AND xeroid IS NULL AND nullif(nullif(qboid, '0'), '-1') IS NULL
      AND coalesce(amountpaid, CAST(0 AS DECIMAL(38, 18))) = 0 THEN 'draft'
    ELSE 'posted'
  END AS status,
  "line.qty_order" AS quantity,
  price AS unit_price,
  CASE WHEN is_credit AND (total > 0 OR (total IS NULL AND net > 0)) THEN -net ELSE net END AS amount,
  currency_code_name AS currency,
  coalesce(from_day, stated['from'], date_trunc('day', invoice_date)) AS period_start,
  CASE
    WHEN from_day IS NULL THEN stated['to']
    -- Whole months: the end is the first day of the next period.
    WHEN date_part('day', end_day) = date_part('day', from_day) AND end_day > from_day THEN end_day
    ELSE end_day + INTERVAL '1 day'
  END AS period_end,
  CAST(invoice_date AS DATE) AS invoice_date,
  source_row
FROM dated
