-- view: core.change
-- meaning: what a later file said otherwise, and of which kind that is:
--   stated_correction: the source marks it (FOCUS and OCI corrections, credits, refunds, credit notes); it adds up with what it corrects;
--   restated: said anew without a mark, the later version counts; overwritten: the same where the vendor overwrites a day (Pax8 usage);
--   billed: what was unbilled is on an invoice, unchanged; not_repeated: a later unbilled file lacks it (Microsoft), nothing is taken back;
--   month_replaced: a month written anew as a whole (AWS, Azure); psa_changed: a later snapshot of the PSA shows another quantity or price.
--   For usage and invoices `money` is the cost or amount, for contract lines the unit price
WITH said AS (
  SELECT usage.system, delivery.entity, usage.customer_native_id, usage.native_sku, coalesce(usage.subject_id, usage.line_key) AS item,
         usage.service_month, usage.currency, usage.is_correction, usage.vendor_invoice, usage.quantity, usage.cost, usage.batch_id,
         usage.source_row, delivery.arrived_at,
         row_hash(usage.system, usage.customer_native_id, usage.native_sku, usage.subject_id, usage.line_key, usage.category,
                  usage.is_correction, usage.currency, usage.period_start, usage.period_end) AS thing,
         -- As in the current truth: parts of one delivery stand together, what is billed behind what is not.
         CASE WHEN delivery.parts_add_up THEN 2 * delivery.delivery + CASE WHEN usage.vendor_invoice IS NULL THEN 0 ELSE 1 END
              ELSE 2 * delivery.of_file END AS delivered
  FROM core_history.vendor_usage AS usage
  JOIN core.delivery AS delivery ON usage.batch_id = delivery.batch_id
  WHERE usage.statement IS NULL
),
version AS (
  SELECT system, entity, customer_native_id, native_sku, item, service_month, currency, thing, delivered, is_correction,
         max(vendor_invoice) AS vendor_invoice, sum(quantity) AS quantity, sum(cost) AS money, min(arrived_at) AS arrived_at,
         min(batch_id) AS batch_id, min(source_row) AS source_row
  FROM said
  GROUP BY system, entity, customer_native_id, native_sku, item, service_month, currency, thing, delivered, is_correction
),
compared AS (
  SELECT *, row_number() OVER (PARTITION BY thing ORDER BY delivered) AS number,
         lag(quantity) OVER (PARTITION BY thing ORDER BY delivered) AS quantity_before,
         lag(money) OVER (PARTITION BY thing ORDER BY delivered) AS money_before,
         lag(vendor_invoice) OVER (PARTITION BY thing ORDER BY delivered) AS invoice_before
  FROM version
),
usage_change AS (
  SELECT 'vendor_usage' AS lands_in, system, entity, customer_native_id, native_sku, item, service_month, currency,
         CASE WHEN number = 1 THEN 'stated_correction'
              WHEN (quantity IS NOT DISTINCT FROM quantity_before) AND (money IS NOT DISTINCT FROM money_before) THEN 'billed'
              WHEN entity = 'usage_lines' THEN 'overwritten'
              ELSE 'restated' END AS change_kind,
         quantity_before, quantity, money_before, money, arrived_at AS known_at, batch_id, source_row
  FROM compared
  WHERE (number = 1 AND is_correction)
     OR (number > 1 AND ((quantity IS DISTINCT FROM quantity_before) OR (money IS DISTINCT FROM money_before)
                         OR (vendor_invoice IS NOT NULL AND invoice_before IS NULL)))
),
unbilled AS (
  SELECT service_month, delivered, lead(delivered) OVER (PARTITION BY service_month ORDER BY delivered) AS next_delivered,
         lead(arrived_at) OVER (PARTITION BY service_month ORDER BY delivered) AS next_at
  FROM (SELECT service_month, delivered, min(arrived_at) AS arrived_at FROM version
        WHERE entity = 'daily_rated_usage' AND vendor_invoice IS NULL GROUP BY service_month, delivered)
),
absent AS (
  SELECT version.*, unbilled.next_delivered, unbilled.next_at
  FROM version
  JOIN unbilled ON version.service_month = unbilled.service_month AND version.delivered = unbilled.delivered
  WHERE version.entity = 'daily_rated_usage' AND unbilled.next_delivered IS NOT NULL
),
not_repeated AS (
  SELECT 'vendor_usage' AS lands_in, absent.system, absent.entity, absent.customer_native_id, absent.native_sku, absent.item,
         absent.service_month, absent.currency, 'not_repeated' AS change_kind, absent.quantity AS quantity_before, absent.quantity,
         absent.money AS money_before, absent.money, absent.next_at AS known_at, absent.batch_id, absent.source_row
  FROM absent
  LEFT ANTI JOIN version AS later ON absent.thing = later.thing AND absent.next_delivered = later.delivered
),
arrival AS (
  SELECT system, statement, recorded_at, speaks_from,
         sum(CASE WHEN recorded_at > before + INTERVAL '1 hour' THEN 1 ELSE 0 END)
           OVER (PARTITION BY system, statement ORDER BY recorded_at) AS number
  FROM (
    SELECT system, statement, recorded_at, min(statement_from) AS speaks_from,
           lag(recorded_at) OVER (PARTITION BY system, statement ORDER BY recorded_at) AS before
    FROM core_history.vendor_usage WHERE statement IS NOT NULL GROUP BY system, statement, recorded_at
  )
),
edition AS (
  SELECT system, statement, number, min(recorded_at) AS arrived_at, min(speaks_from) AS speaks_from
  FROM arrival GROUP BY system, statement, number
),
edition_row AS (
  SELECT usage.*, delivery.entity, arrival.number
  FROM core_history.vendor_usage AS usage
  JOIN core.delivery AS delivery ON usage.batch_id = delivery.batch_id
  JOIN arrival
    ON usage.system = arrival.system AND usage.statement = arrival.statement AND usage.recorded_at = arrival.recorded_at
),
edition_change AS (
  SELECT system, entity, statement, number, customer_native_id, native_sku, service_month, currency, sum(old_quantity) AS quantity_before,
         sum(new_quantity) AS quantity, sum(old_cost) AS money_before, sum(new_cost) AS money, min(arrived_at) AS known_at,
         min(batch_id) AS batch_id, min(source_row) AS source_row
  FROM (
    SELECT later.system, before.entity, later.statement, later.number, later.arrived_at, before.customer_native_id, before.native_sku,
           before.service_month, before.currency, before.quantity AS old_quantity, CAST(NULL AS DECIMAL(38, 18)) AS new_quantity,
           before.cost AS old_cost, CAST(NULL AS DECIMAL(38, 18)) AS new_cost, CAST(NULL AS VARCHAR) AS batch_id,
           CAST(NULL AS BIGINT) AS source_row
    FROM edition_row AS before
    JOIN edition AS later
      ON before.system = later.system AND before.statement = later.statement AND later.number = before.number + 1
      AND before.statement_from >= later.speaks_from
    UNION ALL
    SELECT edition_row.system, edition_row.entity, edition_row.statement, edition_row.number, edition_row.recorded_at,
           edition_row.customer_native_id, edition_row.native_sku, edition_row.service_month, edition_row.currency,
           NULL, edition_row.quantity, NULL, edition_row.cost, edition_row.batch_id, edition_row.source_row
    FROM edition_row WHERE edition_row.number > 0
  )
  GROUP BY system, entity, statement, number, customer_native_id, native_sku, service_month, currency
),
month_replaced AS (
  SELECT 'vendor_usage' AS lands_in, system, entity, customer_native_id, native_sku, CAST(NULL AS VARCHAR) AS item, service_month, currency,
         'month_replaced' AS change_kind, quantity_before, quantity, money_before, money, known_at, batch_id, source_row
  FROM edition_change
  WHERE (quantity_before IS DISTINCT FROM quantity) OR (money_before IS DISTINCT FROM money)
),
invoice_version AS (
  SELECT line.*, delivery.entity, delivery.arrived_at,
         row_number() OVER (PARTITION BY line.system, line.invoice_id, line.line_id ORDER BY delivery.of_file) AS number,
         lag(line.quantity) OVER (PARTITION BY line.system, line.invoice_id, line.line_id ORDER BY delivery.of_file) AS quantity_before,
         lag(line.amount) OVER (PARTITION BY line.system, line.invoice_id, line.line_id ORDER BY delivery.of_file) AS money_before
  FROM core_history.invoice_line AS line
  JOIN core.delivery AS delivery ON line.batch_id = delivery.batch_id
  WHERE line.line_id IS NOT NULL
),
contract_version AS (
  SELECT line.*, delivery.entity, delivery.arrived_at,
         row_number() OVER (PARTITION BY line.system, line.contract_id, line.line_id ORDER BY delivery.of_file) AS number,
         lag(line.quantity) OVER (PARTITION BY line.system, line.contract_id, line.line_id ORDER BY delivery.of_file) AS quantity_before,
         lag(line.unit_price) OVER (PARTITION BY line.system, line.contract_id, line.line_id ORDER BY delivery.of_file) AS money_before,
         lag(line.status) OVER (PARTITION BY line.system, line.contract_id, line.line_id ORDER BY delivery.of_file) AS status_before
  FROM core_history.contract_line AS line
  JOIN core.delivery AS delivery ON line.batch_id = delivery.batch_id
)
SELECT lands_in, system, entity, customer_native_id, native_sku, item, service_month, currency, change_kind, quantity_before, quantity,
       money_before, money, known_at, batch_id, source_row
FROM usage_change
UNION ALL
SELECT lands_in, system, entity, customer_native_id, native_sku, item, service_month, currency, change_kind, quantity_before, quantity,
       money_before, money, known_at, batch_id, source_row
FROM not_repeated
UNION ALL
SELECT lands_in, system, entity, customer_native_id, native_sku, item, service_month, currency, change_kind, quantity_before, quantity,
       money_before, money, known_at, batch_id, source_row
FROM month_replaced
UNION ALL
SELECT 'invoice_line', system, entity, customer_native_id, native_sku, invoice_id || '/' || line_id, service_month, currency,
       CASE WHEN number = 1 THEN 'stated_correction' ELSE 'restated' END, quantity_before, quantity, money_before, amount, arrived_at,
       batch_id, source_row
FROM invoice_version
WHERE (number = 1 AND kind = 'credit')
   OR (number > 1 AND ((quantity IS DISTINCT FROM quantity_before) OR (amount IS DISTINCT FROM money_before)))
UNION ALL
SELECT 'contract_line', system, entity, CAST(NULL AS VARCHAR), native_sku, contract_id || '/' || line_id,
       CAST(date_trunc('month', arrived_at) AS DATE), CAST(NULL AS VARCHAR), 'psa_changed', quantity_before, quantity, money_before,
       unit_price, arrived_at, batch_id, source_row
FROM contract_version
WHERE number > 1 AND ((quantity IS DISTINCT FROM quantity_before) OR (unit_price IS DISTINCT FROM money_before)
                      OR (status IS DISTINCT FROM status_before))
