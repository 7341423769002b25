-- fact: billed_line
-- grain: invoice line x month
-- meaning: what was billed for which service month: amounts split by days and summing exactly, quantities as levels (or, for
--   consumption, shares) in the service's own units. Lines that never became valid invoices are left out; tax, memos (text, totals,
--   movements of balances) and purchases are no revenue. `amount_by_month` is what the line would come to if each month of its
--   period cost the same, however many days it has: a contract states a price a month. `from_day` to `to_day` are the line's days in the month;
--   without a period, all of it
-- Assumed (inference): a line of which its system does not say whether it recurs (`sale`) is a single charge (`one_off`) if the customer has the
--   article on no other invoice, and nothing was contracted or delivered of the service; else it recurs. A `charge` beside the contract bills usage
--   if its service was contracted or delivered and nothing that recurs bills the month, or written terms price an overage; else it is a single charge
-- reads: facts.invoice_line, facts.customer_alias, facts.service_alias, facts.service, facts.contract_month, facts.terms_month, facts.delivered_month,
--   known.contract_terms
WITH origin AS (
  -- Lines that others take money off, each once: a fee may be known from before it came to an invoice.
  SELECT system, line_id, kind, native_sku, native_product, period_start, period_end
  FROM (
    SELECT line.*, row_number() OVER (PARTITION BY system, line_id ORDER BY invoice_id DESC) AS place
    FROM facts.invoice_line AS line
    WHERE line_id IN (SELECT origin_line_id FROM facts.invoice_line WHERE origin_line_id IS NOT NULL)
  )
  WHERE place = 1
),
line AS (
  SELECT line.system, line.invoice_id, line.line_id, line.customer_native_id, line.is_proration, line.currency, line.amount,
         -- A discount or repair changes what its line is; a credit stands beside it.
         CASE WHEN line.kind = 'credit' THEN line.kind ELSE coalesce(origin.kind, line.kind) END AS kind,
         coalesce(origin.native_sku, line.native_sku) AS native_sku,
         coalesce(origin.native_product, line.native_product) AS native_product, line.invoice_date, line.batch_id, line.source_row,
         coalesce(CASE WHEN line.period_end IS NULL THEN origin.period_start END, line.period_start,
                  CAST(line.invoice_date AS TIMESTAMP)) AS from_at,
         coalesce(line.period_end, origin.period_end) AS to_at,
         CASE WHEN line.amount < 0 AND line.quantity > 0 THEN -line.quantity ELSE line.quantity END AS quantity
  FROM facts.invoice_line AS line
  -- A credit or discount may name the line that it takes money off; what it says of its own period, from and to, stays.
  LEFT JOIN origin ON line.system = origin.system AND line.origin_line_id = origin.line_id
  WHERE coalesce(line.status, 'open') NOT IN ('void', 'voided', 'draft', 'deleted', 'uncollectible', 'not_invoiced', 'itemised', 'planned')
    AND line.kind NOT IN ('tax', 'memo', 'purchase') AND coalesce(origin.kind, line.kind) NOT IN ('tax', 'memo', 'purchase')
),
-- Periods that begin at a time of day are days all the same: from the day of the one edge to the day of the other. Assumed (inference): a full
-- hour from eight in the evening on is midnight of the next day somewhere east of Greenwich.
dayed AS (
  SELECT * EXCLUDE (from_at, to_at),
         CASE WHEN is_timed THEN date_trunc('day', from_at + CASE WHEN date_part('hour', from_at) >= 20 AND from_at = date_trunc('hour', from_at)
                                                             THEN INTERVAL '4 hours' ELSE INTERVAL '0 hours' END) ELSE from_at END AS from_at,
         CASE WHEN is_timed THEN date_trunc('day', to_at + CASE WHEN date_part('hour', to_at) >= 20 AND to_at = date_trunc('hour', to_at)
                                                           THEN INTERVAL '4 hours' ELSE INTERVAL '0 hours' END) ELSE to_at END AS to_at
  FROM (SELECT *, coalesce(to_at >= from_at + INTERVAL '1 day' AND from_at > date_trunc('day', from_at), false) AS is_timed FROM line)
),
keyed AS (
  SELECT line.*, customer.customer_key, coalesce(exact.service_key, product.service_key, own.service_key) AS service_key,
         coalesce(exact.unit_factor, product.unit_factor, CAST(1 AS DECIMAL(38, 18))) AS unit_factor,
         coalesce(exact.share_from, product.share_from) AS share_from, coalesce(exact.share_to, product.share_to) AS share_to
  FROM dayed AS line
  LEFT JOIN facts.customer_alias AS customer
    ON line.system = customer.system AND normalise_id(line.customer_native_id) = customer.native_id
    AND (customer.valid_from IS NULL OR customer.valid_from <= CAST(line.from_at AS DATE))
    AND (customer.valid_to IS NULL OR customer.valid_to > CAST(line.from_at AS DATE))
  LEFT JOIN facts.service_alias AS exact
    ON line.system = exact.system AND normalise_id(line.native_sku) = exact.native_sku
    AND (exact.valid_from IS NULL OR exact.valid_from <= CAST(line.from_at AS DATE))
    AND (exact.valid_to IS NULL OR exact.valid_to > CAST(line.from_at AS DATE))
  -- A price belongs to a product; a crosswalk may list either.
  LEFT JOIN facts.service_alias AS product
    ON exact.service_key IS NULL AND line.system = product.system AND normalise_id(line.native_product) = product.native_sku
    AND (product.valid_from IS NULL OR product.valid_from <= CAST(line.from_at AS DATE))
    AND (product.valid_to IS NULL OR product.valid_to > CAST(line.from_at AS DATE))
  LEFT JOIN facts.service AS own ON normalise_id(line.native_sku) = own.match_key
),
-- What a customer was ever owed for: contracted, or delivered.
owed AS (
  SELECT customer_key, service_key FROM facts.contract_month
  UNION
  SELECT customer_key, service_key FROM facts.terms_month
  UNION
  SELECT customer_key, service_key FROM facts.delivered_month
),
-- Charges of a service and month that something recurring bills.
beside AS (
  SELECT DISTINCT charge.system, charge.invoice_id, charge.line_id
  FROM keyed AS charge
  JOIN keyed AS regular
    ON charge.customer_key = regular.customer_key AND charge.service_key = regular.service_key AND regular.kind = 'recurring'
    AND charge.from_at >= regular.from_at AND charge.from_at < coalesce(regular.to_at, regular.from_at + INTERVAL '1 month')
  LEFT JOIN known.contract_terms AS terms
    ON charge.customer_key = terms.customer_key AND charge.service_key = terms.service_key AND terms.overage_unit_price IS NOT NULL
  WHERE charge.kind = 'charge' AND terms.customer_key IS NULL
),
single AS (
  SELECT system, customer_native_id, native_sku
  FROM facts.invoice_line
  WHERE kind IN ('sale', 'recurring') AND system IN (SELECT system FROM facts.invoice_line WHERE kind = 'sale')
  GROUP BY system, customer_native_id, native_sku
  HAVING min(invoice_id) = max(invoice_id)
),
sold AS (
  SELECT keyed.* EXCEPT (kind),
         coalesce(CASE WHEN keyed.kind = 'charge' AND (owed.customer_key IS NULL OR beside.system IS NOT NULL) THEN 'one_off'
                       WHEN keyed.kind = 'charge' THEN 'usage'
                       WHEN keyed.kind = 'sale' AND single.system IS NOT NULL AND owed.customer_key IS NULL THEN 'one_off'
                       WHEN keyed.kind = 'sale' THEN 'recurring' END, keyed.kind) AS kind
  FROM keyed
  LEFT JOIN single
    ON keyed.kind = 'sale' AND keyed.system = single.system AND keyed.customer_native_id = single.customer_native_id
    AND keyed.native_sku = single.native_sku
  LEFT JOIN beside
    ON keyed.kind = 'charge' AND keyed.system = beside.system AND keyed.invoice_id = beside.invoice_id AND keyed.line_id = beside.line_id
  LEFT JOIN owed ON keyed.kind IN ('sale', 'charge') AND keyed.customer_key = owed.customer_key AND keyed.service_key = owed.service_key
),
-- Months of the period: whole ones from one day of a month to the same day of another, or to the last of a shorter one; of other periods longer
-- than a month as many as a year has in their days. What is shorter was pro-rated, and says nothing of a month, unless it ends with a
-- month's period of the same thing: then it is as much of that month as it has of its days.
measured AS (
  SELECT *,
         CASE WHEN date_part('day', to_at) = date_part('day', from_at)
                OR (date_part('day', to_at) < date_part('day', from_at) AND date_part('day', to_at + INTERVAL '1 day') = 1)
              THEN CAST((date_part('year', to_at) - date_part('year', from_at)) * 12 + date_part('month', to_at) - date_part('month', from_at)
                        AS DECIMAL(38, 18))
              WHEN CAST(to_at AS DATE) - CAST(from_at AS DATE) > 31
              THEN exact_quotient(CAST((CAST(to_at AS DATE) - CAST(from_at AS DATE)) * 12 AS DECIMAL(38, 18)), CAST(365 AS DECIMAL(38, 18)))
         END AS own_months
  FROM sold
),
enclosed AS (
  SELECT *, max(CASE WHEN own_months = 1 AND kind = 'recurring' THEN from_at END)
              OVER (PARTITION BY system, customer_native_id, native_sku, to_at) AS month_from
  FROM measured
),
spread AS (
  SELECT enclosed.*, coalesce(service.is_flow, false) AS adds_up,
         coalesce(CASE WHEN NOT is_proration THEN own_months END, CASE WHEN month_from < from_at AND from_at < to_at
           THEN exact_quotient(CAST(CAST(to_at AS DATE) - CAST(from_at AS DATE) AS DECIMAL(38, 18)),
                               CAST(CAST(to_at AS DATE) - CAST(month_from AS DATE) AS DECIMAL(38, 18))) END) AS n_months,
         unnest(
    CASE WHEN to_at IS NULL OR to_at <= from_at THEN make_array(CAST(date_trunc('month', from_at) AS DATE))
         ELSE generate_series(CAST(date_trunc('month', from_at) AS DATE),
                              CAST(date_trunc('month', to_at - INTERVAL '1 microsecond') AS DATE), INTERVAL '1 month')
    END) AS month
  FROM enclosed
  LEFT JOIN facts.service AS service ON enclosed.service_key = service.service_key
)
SELECT system, invoice_id, line_id, invoice_date, batch_id, source_row, customer_native_id, native_sku, customer_key, service_key,
       CAST(month AS DATE) AS month, currency, kind, is_proration,
       CASE WHEN adds_up THEN month_share(exact_product(quantity, unit_factor), from_at, to_at, CAST(month AS DATE))
            ELSE day_weighted(exact_product(quantity, unit_factor), from_at, to_at, CAST(month AS DATE)) END AS quantity,
       month_share(share_of(amount, share_from, share_to), from_at, to_at, CAST(month AS DATE)) AS amount,
       CASE WHEN n_months > 0 AND kind = 'recurring' AND NOT adds_up
            THEN exact_quotient(day_weighted(share_of(amount, share_from, share_to), from_at, to_at, CAST(month AS DATE)), n_months)
       END AS amount_by_month,
       CASE WHEN to_at > from_at THEN greatest(CAST(from_at AS DATE), CAST(month AS DATE)) ELSE CAST(month AS DATE) END AS from_day,
       CASE WHEN to_at > from_at THEN least(CAST(to_at + INTERVAL '1 day' - INTERVAL '1 microsecond' AS DATE), CAST(month + INTERVAL '1 month' AS DATE))
            ELSE CAST(month + INTERVAL '1 month' AS DATE) END AS to_day
FROM spread
WHERE month <= $last_month
