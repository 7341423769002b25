-- fact: contract_period
-- grain: one quantity that the PSA states for some days of a contract line (Autotask's unit rows)
-- meaning: its days, each given to one row; the billing period that they are part of; and what a unit costs a month. Rows state the price of
--   all their units; one that fills a billing period tells the price of a unit, a part of a period does not tell whether it was pro-rated:
--   such a row is priced by the list that was known when it began, else by the nearest whole period of its line, else by the first list
-- reads: known.contract_line, core_history.contract_line, known.contract
WITH row_of AS (
  SELECT line.system, line.contract_id, line.line_id, coalesce(line.parent_id, line.native_sku) AS parent_id,
         coalesce(line.native_sku, list.native_sku) AS native_sku, line.quantity, line.amount, line.status, list.unit_price AS list_price,
         line.effective_from AS from_at, line.batch_id, line.source_row,
         coalesce(line.effective_to, contract.effective_to) AS stated_to, contract.effective_to AS contract_to,
         CASE coalesce(list.billing_cycle, contract.billing_cycle)
           WHEN 'Monthly' THEN 1 WHEN 'Quarterly' THEN 3 WHEN 'Semi-Annual' THEN 6 WHEN 'Yearly' THEN 12 END AS cycle_months,
         line.effective_to IS NULL AS is_open
  FROM known.contract_line AS line
  LEFT JOIN known.contract_line AS list
    ON line.system = list.system AND line.contract_id = list.contract_id AND line.parent_id = list.line_id AND list.measure = 'price'
  LEFT JOIN known.contract AS contract ON line.system = contract.system AND line.contract_id = contract.contract_id
  WHERE line.measure = 'dated'
),
-- A day on which two rows meet belongs to the later one; a row without an end lasts until the next.
neighbours AS (
  SELECT *,
         lead(from_at) OVER (PARTITION BY system, contract_id, parent_id ORDER BY from_at, stated_to, length(line_id), line_id) AS next_from,
         lag(stated_to) OVER (PARTITION BY system, contract_id, parent_id ORDER BY from_at, stated_to, length(line_id), line_id) AS previous_to
  FROM row_of
),
-- A row that the next one cuts short is a part of its billing period; the one that is not cut is its last.
cut AS (
  SELECT *, least(CASE WHEN is_open THEN least(next_from, contract_to) ELSE stated_to END, next_from) AS to_at,
         NOT is_open AND next_from < stated_to AS is_cut,
         NOT is_open AND previous_to > from_at AS is_continued
  FROM neighbours
),
period AS (
  SELECT *,
         max(CASE WHEN NOT coalesce(is_continued, false) THEN from_at END) OVER (
           PARTITION BY system, contract_id, parent_id ORDER BY from_at, stated_to, length(line_id), line_id
           ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS period_from,
         min(CASE WHEN NOT coalesce(is_cut, false) THEN to_at END) OVER (
           PARTITION BY system, contract_id, parent_id ORDER BY from_at, stated_to, length(line_id), line_id
           ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS period_to
  FROM cut
),
measured AS (
  SELECT *, CASE period_to
           WHEN period_from + INTERVAL '1 month' THEN 1 WHEN period_from + INTERVAL '3 months' THEN 3
           WHEN period_from + INTERVAL '6 months' THEN 6 WHEN period_from + INTERVAL '12 months' THEN 12 END AS months
  FROM period
),
usual AS (
  SELECT *, CAST(coalesce(max(months) OVER (PARTITION BY system, contract_id, parent_id), cycle_months, 1) AS DECIMAL(38, 18)) AS usual_months
  FROM measured
),
-- Some tenants' rows state the price of one unit: then it is the one in the list.
whole AS (
  SELECT *, CASE WHEN from_at = period_from AND to_at = period_to AND CAST(months AS DECIMAL(38, 18)) = usual_months
           THEN exact_quotient(CASE WHEN quantity > 1 AND amount = list_price THEN amount ELSE exact_quotient(amount, quantity) END, usual_months)
         END AS stated_price
  FROM usual
),
near AS (
  SELECT *,
         last_value(stated_price) IGNORE NULLS OVER (
           PARTITION BY system, contract_id, parent_id ORDER BY from_at, stated_to, length(line_id), line_id
           ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS price_before,
         first_value(stated_price) IGNORE NULLS OVER (
           PARTITION BY system, contract_id, parent_id ORDER BY from_at, stated_to, length(line_id), line_id
           ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS price_after
  FROM whole
),
list AS (
  SELECT dated.system, dated.contract_id, dated.line_id,
         first_value(list.unit_price ORDER BY list.recorded_at DESC, list.batch_id DESC)
           FILTER (WHERE CAST(list.recorded_at AS DATE) <= CAST(dated.from_at AS DATE)) AS price_then,
         first_value(list.unit_price ORDER BY list.recorded_at, list.batch_id) AS price_first
  FROM row_of AS dated
  JOIN core_history.contract_line AS list
    ON dated.system = list.system AND dated.contract_id = list.contract_id AND dated.parent_id = list.line_id AND list.measure = 'price'
  GROUP BY dated.system, dated.contract_id, dated.line_id
)
SELECT near.system, near.contract_id, near.line_id, near.parent_id, near.native_sku, near.quantity, near.status, near.from_at, near.to_at,
       near.period_from, near.period_to,
       coalesce(near.stated_price, exact_quotient(list.price_then, near.usual_months), near.price_before, near.price_after,
                exact_quotient(list.price_first, near.usual_months)) AS unit_price,
       near.batch_id, near.source_row
FROM near
LEFT JOIN list ON near.system = list.system AND near.contract_id = list.contract_id AND near.line_id = list.line_id
