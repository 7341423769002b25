-- fact: contract_segment
-- grain: one version of one contract line, with the days on which it held
-- meaning: the history of quantities and prices that dated snapshots show, or that the PSA states by days. The first version of a snapshot's
--   line holds from its effective date, a later one from the day of the snapshot that first shows it; an end that becomes known later ends
--   the earlier versions as well. Stated days hold as they were last exported. An inactive line is in force no longer, and headings and
--   charges made once never are. Assumed (inference): where an agreement is
--   billed by the quarter or year (ConnectWise's billing cycle), the price of an addition is for that cycle; a line with a cycle of its own states
--   a price a month. `batch_id`, `source_row`: the row that states it; `end_batch_id`, `end_source_row`: the one that states its end
-- reads: core_history.contract_line, known.contract, known.subject_state, facts.contract_period, facts.customer_currency
WITH version AS (
  SELECT *, row_hash(native_sku, quantity, included_quantity, unit_price, status, effective_from, effective_to) AS content
  FROM core_history.contract_line
  WHERE coalesce(measure, 'level') = 'level'
),
compared AS (
  SELECT *, lag(content) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id) AS before
  FROM version
),
numbered AS (
  SELECT *,
         row_number() OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id) AS number,
         lead(recorded_at) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id) AS replaced_at,
         first_value(effective_to) OVER final AS final_end, first_value(batch_id) OVER final AS final_batch_id,
         first_value(source_row) OVER final AS final_source_row
  FROM compared
  WHERE before IS DISTINCT FROM content
  WINDOW final AS (PARTITION BY system, contract_id, line_id ORDER BY recorded_at DESC, batch_id DESC)
),
segment AS (
  SELECT system, contract_id, line_id, native_sku, quantity, coalesce(included_quantity, CAST(0 AS DECIMAL(38, 18))) AS included_quantity,
         unit_price, billing_cycle IS NULL AS is_per_cycle, status = 'Billable' AS is_billable,
         CASE WHEN number = 1 THEN effective_from ELSE greatest(recorded_at, effective_from) END AS from_at,
         least(replaced_at, final_end) AS to_at, batch_id, source_row, final_batch_id AS end_batch_id, final_source_row AS end_source_row
  FROM numbered
  WHERE coalesce(status, '') NOT IN ('Inactive', 'OneTime', 'Heading')
  UNION ALL
  SELECT system, contract_id, line_id, native_sku, quantity, CAST(0 AS DECIMAL(38, 18)), unit_price, false,
         -- Units at no price are given away.
         coalesce(unit_price <> CAST(0 AS DECIMAL(38, 18)), true), from_at, to_at, batch_id, source_row,
         batch_id AS end_batch_id, source_row AS end_source_row
  FROM facts.contract_period
),
-- A device that moves from one customer to another takes its contract with it.
device AS (
  SELECT system, subject_id, min(customer_native_id) AS customer_native_id FROM known.subject_state
  WHERE subject_kind = 'device'
  GROUP BY system, subject_id
),
header AS (
  SELECT contract.system, contract.contract_id, coalesce(contract.customer_native_id, device.customer_native_id) AS customer_native_id,
         contract.currency, contract.status, contract.effective_to, contract.batch_id, contract.source_row,
         CASE WHEN lower(contract.billing_cycle) LIKE 'quarter%' THEN 3
              WHEN lower(contract.billing_cycle) LIKE 'semi%' OR lower(contract.billing_cycle) LIKE 'half%' THEN 6
              WHEN lower(contract.billing_cycle) LIKE 'annual%' OR lower(contract.billing_cycle) LIKE 'year%' THEN 12
              WHEN lower(contract.billing_cycle) LIKE 'bi%month%' THEN 2 END AS cycle_months
  FROM known.contract AS contract
  LEFT JOIN device ON contract.system = device.system AND contract.subject_id = device.subject_id
)
SELECT segment.system, segment.contract_id, segment.line_id, header.customer_native_id, segment.native_sku,
       coalesce(header.currency, customer.currency, own.currency) AS currency,
       segment.quantity, segment.included_quantity,
       coalesce(CASE WHEN is_per_cycle THEN exact_quotient(segment.unit_price, CAST(header.cycle_months AS DECIMAL(38, 18))) END,
                segment.unit_price) AS unit_price,
       segment.is_billable AND coalesce(header.status, '') <> 'DoNotInvoice' AS is_billable,
       CAST(segment.from_at AS DATE) AS from_day, CAST(least(segment.to_at, header.effective_to) AS DATE) AS to_day,
       segment.batch_id, segment.source_row,
       CASE WHEN header.effective_to < segment.to_at OR segment.to_at IS NULL THEN header.batch_id ELSE segment.end_batch_id END AS end_batch_id,
       CASE WHEN header.effective_to < segment.to_at OR segment.to_at IS NULL THEN header.source_row ELSE segment.end_source_row END AS end_source_row
FROM segment
JOIN header ON segment.system = header.system AND segment.contract_id = header.contract_id
LEFT JOIN facts.customer_currency AS customer
  ON header.system = customer.system AND normalise_id(header.customer_native_id) = customer.native_id
LEFT JOIN facts.customer_currency AS own ON header.system = own.system AND own.native_id IS NULL
