-- fact: contract_segment
-- grain: one version of one contract line, with the days on which it held
-- meaning: the history of quantities and prices that dated snapshots show. The first version holds from its effective date, a later one
--   from the day of the snapshot that first shows it; an end that becomes known later ends the earlier versions as well. An inactive line
--   is in force no longer, and headings and charges made once never are
-- reads: core_history.contract_line, known.contract
WITH version AS (
  SELECT *, row_hash(native_sku, quantity, included_quantity, unit_price, status, effective_from, effective_to) AS content
  FROM core_history.contract_line
),
compared AS (
  SELECT *, lag(content) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id) AS before
  FROM version
),
numbered AS (
  SELECT *,
         row_number() OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id) AS number,
         lead(recorded_at) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at, batch_id) AS replaced_at,
         first_value(effective_to) OVER (PARTITION BY system, contract_id, line_id ORDER BY recorded_at DESC, batch_id DESC) AS final_end
  FROM compared
  WHERE before IS DISTINCT FROM content
)
SELECT numbered.system, numbered.contract_id, numbered.line_id, contract.customer_native_id, numbered.native_sku, contract.currency,
       numbered.quantity, coalesce(numbered.included_quantity, CAST(0 AS DECIMAL(38, 18))) AS included_quantity,
       numbered.unit_price, numbered.status = 'Billable' AND coalesce(contract.status, '') <> 'DoNotInvoice' AS is_billable,
       CAST(CASE WHEN number = 1 THEN numbered.effective_from
                 ELSE greatest(numbered.recorded_at, numbered.effective_from) END AS DATE) AS from_day,
       CAST(least(replaced_at, final_end, contract.effective_to) AS DATE) AS to_day
FROM numbered
JOIN known.contract AS contract ON numbered.system = contract.system AND numbered.contract_id = contract.contract_id
WHERE coalesce(numbered.status, '') NOT IN ('Inactive', 'OneTime', 'Heading')
